// The receipt attached to a PDF, as the platform writes it (ADR 0042): the same one form that verifier/attachment.py takes,
// and nothing else, because the file is hostile until it has been read.
"use strict";

const attachments = (() => {
  const MOST_PROOF = 2 * 2 ** 20 + 131072, MOST_PDF = MOST_PROOF + 2 ** 21;
  const FOREIGN = new Set(["ObjStm", "XRef", "Encrypt", "Crypt", "JavaScript", "JS", "Launch"]);
  const EMBEDDED =
    /^<<\/Length [0-9]{1,8}\/Type\/EmbeddedFile\/Filter\/FlateDecode\/Subtype\/text#2Fplain\/Params<<\/Size ([0-9]{1,8})\/ModDate\(D:[0-9]{14}Z\)>>>>$/;
  const FILESPEC =
    /^<<\/Type\/Filespec\/F\(((?:0|[1-9][0-9]{0,15})\.tlog-proof)\)\/UF\(\1\)\/EF<<\/F ([0-9]{1,6}) 0 R\/UF \2 0 R>>\/AFRelationship\/Source\/Desc(?:\([^()\\]*\)|<[0-9A-F]*>)>>$/;
  const NAMED = /\/Names<<\/EmbeddedFiles<<\/Names\[\(([^()\\]*)\)([0-9]{1,6}) 0 R\]>>>>\/AF\[\2 0 R\]>>$/;
  const TRAILER =
    /trailer\n<<\/Size ([0-9]{1,6})\/Root ([0-9]{1,6}) 0 R\/Info [0-9]{1,6} 0 R\/ID\[\([\w+/=]*\)\([\w+/=]*\)\]>>\nstartxref\n([0-9]{1,8})\n%%EOF$/y;

  function need(holds, what) {
    if (!holds) throw new Error(what);
  }
  function matched(pattern, text, at) {
    pattern.lastIndex = at;
    return pattern.exec(text);
  }

  // Numbered objects one after the other, each dictionary on one line, and where they end.
  function objectsOf(text) {
    const head = /^%PDF-1\.7\n%[^\x00-\x7f]{4}\n\n/.exec(text);
    need(head !== null, "head");
    const begin = /([1-9][0-9]{0,5}) 0 obj\n([^\x00-\x1f]*)\n/y;
    const found = [];
    let at = head[0].length;
    for (let match = matched(begin, text, at); match !== null; match = matched(begin, text, at)) {
      const each = { at, line: match[2], start: null, stop: null };
      let stop = begin.lastIndex;
      if (text.startsWith("stream\n", stop)) {
        const length = /^<<\/Length ([0-9]{1,8})\//.exec(each.line);
        need(length !== null, "stream");
        each.start = stop + 7;
        each.stop = each.start + Number(length[1]);
        need(text.startsWith("\nendstream\n", each.stop), "stream");
        stop = each.stop + 11;
      }
      found.push(each);
      need(Number(match[1]) === found.length && text.startsWith("endobj\n", stop), "object");
      at = stop + 7;
    }
    return { found, end: at };
  }

  // The table of places must name exactly these objects: then every viewer reads the same ones.
  function rootOf(text, found, end) {
    const rows = ["0000000000 65535 f\r\n", ...found.map(({ at }) => `${String(at).padStart(10, "0")} 00000 n\r\n`)];
    const table = `xref\n0 ${rows.length}\n${rows.join("")}`;
    const trailer = matched(TRAILER, text, end + table.length);
    need(text.startsWith(table, end) && trailer !== null, "table");
    const [size, root, start] = trailer.slice(1).map(Number);
    need(size === rows.length && start === end && found[root - 1]?.line.startsWith("<</Type/Catalog/"), "trailer");
    return found[root - 1];
  }

  function namesOf({ line }) {
    return Array.from(line.replace(/\((?:[^()\\]|\\.)*\)/g, "()").matchAll(/\/([^ /<>[\](){}%]*)/g), (match) => match[1]);
  }

  async function inflated(data, size) {
    const reader = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
    const unpacked = new Uint8Array(size);
    let length = 0;
    for (let step = await reader.read(); !step.done; step = await reader.read()) {
      if (length + step.value.length > size) {
        await reader.cancel();
        throw new Error("size"); // nothing beyond the size that it declares is kept
      }
      unpacked.set(step.value, length);
      length += step.value.length;
    }
    need(length === size, "size");
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(unpacked);
  }

  // The text of the attached tlog-proof; throws for everything that is not the form that the platform writes.
  async function proof(data) {
    need(data.length <= MOST_PDF, "size");
    const text = new TextDecoder("windows-1252").decode(data); // one letter a byte
    const { found, end } = objectsOf(text);
    const root = rootOf(text, found, end);
    const names = found.map(namesOf);
    need(names.flat().every((name) => !FOREIGN.has(name) && (!name.includes("#") || name === "text#2Fplain")), "name");
    const embedded = found.filter((_, n) => names[n].includes("EmbeddedFile"));
    const specs = found.filter((_, n) => names[n].includes("Filespec") || names[n].includes("EF"));
    need(embedded.length === 1 && specs.length === 1, "attachments");
    const told = EMBEDDED.exec(embedded[0].line), spec = FILESPEC.exec(specs[0].line), named = NAMED.exec(root.line);
    need(told !== null && spec !== null && named !== null && Number(told[1]) <= MOST_PROOF, "attachment");
    need(found[Number(spec[2]) - 1] === embedded[0], "attachment");
    need(named[1] === spec[1] && found[Number(named[2]) - 1] === specs[0], "attachment");
    return inflated(data.subarray(embedded[0].start, embedded[0].stop), Number(told[1]));
  }

  const isPdf = (data) => String.fromCharCode(...data.subarray(0, 5)) === "%PDF-";
  return { isPdf, proof };
})();
