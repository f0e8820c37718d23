// Ask golang.org/x/mod/sumdb and crypto/mldsa about a case: `driver CASE` prints one JSON object of answers.
package main

import (
	"crypto/mldsa"
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	N, Size, Old, New       int64
	Entry                   []byte
	Root                    tlog.Hash
	OldRoot                 tlog.Hash `json:"old_root"`
	NewRoot                 tlog.Hash `json:"new_root"`
	Proof                   []tlog.Hash
	Key, Message, Signature []byte
}

var found struct {
	Log, Origin, Note             string
	Size                          int64
	Root                          tlog.Hash
	Entries                       [][]byte
	Inclusion, Consistency, Mldsa []question
}

func checkpoint() bool {
	key, err := note.NewVerifier(found.Log)
	if err != nil {
		return false
	}
	opened, err := note.Open([]byte(found.Note), note.VerifierList(key))
	return err == nil && opened.Text == fmt.Sprintf("%s\n%d\n%s\n", found.Origin, found.Size, found.Root)
}

// The root, computed anew from all entries.
func recomputed() bool {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var hashes []tlog.Hash
		for _, each := range indexes {
			hashes = append(hashes, stored[each])
		}
		return hashes, nil
	})
	for n, entry := range found.Entries {
		hashes, err := tlog.StoredHashes(int64(n), entry, reader)
		if err != nil {
			return false
		}
		stored = append(stored, hashes...)
	}
	root, err := tlog.TreeHash(found.Size, reader)
	return err == nil && root == found.Root
}

func inclusion(each question) bool {
	return tlog.CheckRecord(each.Proof, each.Size, each.Root, each.N, tlog.RecordHash(each.Entry)) == nil
}

func consistency(each question) bool {
	return tlog.CheckTree(each.Proof, each.New, each.NewRoot, each.Old, each.OldRoot) == nil
}

func lattice(each question) bool {
	key, err := mldsa.NewPublicKey(mldsa.MLDSA44(), each.Key)
	return err == nil && mldsa.Verify(key, each.Message, each.Signature, nil) == nil
}

func asked(check func(question) bool, about []question) []bool {
	answers := []bool{}
	for _, each := range about {
		answers = append(answers, check(each))
	}
	return answers
}

func main() {
	data, err := os.ReadFile(os.Args[1])
	if err == nil {
		err = json.Unmarshal(data, &found)
	}
	if err != nil {
		panic(err)
	}
	json.NewEncoder(os.Stdout).Encode(map[string][]bool{
		"checkpoint":  {checkpoint()},
		"recomputed":  {recomputed()},
		"inclusion":   asked(inclusion, found.Inclusion),
		"consistency": asked(consistency, found.Consistency),
		"mldsa":       asked(lattice, found.Mldsa),
	})
}
