// The C2SP tlog-policy of a trust file: log keys, witnesses, groups, quorum; and what a note proves under it (L7.4).
import { need } from "./bytes.js";
import { COSIGNATURE, ED25519, parseCheckpoint, parseKey, parseNote, verifyLine } from "./notes.js";

export async function parsePolicy(text) {
  const policy = { logs: [], witnesses: new Map(), groups: new Map(), quorum: null };
  const used = new Set();
  for (const line of text.split("\n")) {
    const words = line.split(/\s+/).filter((word) => word !== "");
    if (words.length > 0 && !words[0].startsWith("#")) await takeLine(policy, words, used);
  }
  need(policy.quorum !== null, "policy");
  return policy;
}

async function takeLine(policy, words, used) {
  const [kind, name] = words, known = (word) => policy.witnesses.has(word) || policy.groups.has(word);
  if (kind === "log" && [2, 3].includes(words.length)) {
    const key = await parseKey(name);
    need(key.type !== COSIGNATURE && policy.logs.every((log) => log.public !== key.public), "policy");
    policy.logs.push(key);
  } else if (kind === "witness" && [3, 4].includes(words.length)) {
    const key = await parseKey(words[2]);
    const fresh = [...policy.witnesses.values()].every((witness) => witness.public !== key.public);
    need(!known(name) && name !== "none" && fresh && key.type !== ED25519, "policy");
    policy.witnesses.set(name, key);
  } else if (kind === "group" && words.length >= 4) {
    const members = words.slice(3);
    need(!known(name) && name !== "none" && new Set(members).size === members.length, "policy");
    need(members.every((member) => known(member) && !used.has(member)), "policy");
    members.forEach((member) => used.add(member));
    policy.groups.set(name, { least: threshold(words[2], members.length), members });
  } else if (kind === "quorum" && words.length === 2 && policy.quorum === null) {
    need(name === "none" || known(name), "policy");
    policy.quorum = name;
  } else need(false, "policy");
}

function threshold(word, count) {
  const least = { any: 1, all: count }[word] ?? (/^[1-9][0-9]{0,5}$/.test(word) ? Number(word) : 0);
  need(least >= 1 && least <= count, "policy");
  return least;
}

function isMet(policy, keys, name = policy.quorum) {
  if (name === "none") return false;
  const group = policy.groups.get(name);
  if (group === undefined) return keys.has(policy.witnesses.get(name).public);
  return group.members.filter((member) => isMet(policy, keys, member)).length >= group.least;
}

// T_up (ascending) or T_low (direction −1, descending) of TE1 T7: the second at which the quorum is met, or null.
function quorumTime(policy, cosigned, direction) {
  const keys = new Set();
  for (const { key, time } of [...cosigned].sort((left, right) => direction * (left.time - right.time))) {
    keys.add(key.public);
    if (isMet(policy, keys)) return time;
  }
  return null;
}

// Lines of unknown keys are ignored; one of a known key that fails or stands twice makes the whole note worthless.
export async function verifyCheckpoint(data, policy, origin) {
  const note = parseNote(data), checkpoint = parseCheckpoint(note.text);
  need(checkpoint.origin === origin, "origin", { found: checkpoint.origin.slice(0, 80), wanted: origin });
  const logs = policy.logs.filter((key) => key.name === origin);
  const known = new Map([...logs, ...policy.witnesses.values()].map((key) => [`${key.name}+${key.id}`, key]));
  const seen = new Set(), cosigned = [], unverified = [];
  let byLog = false;
  for (const { name, id, signature } of note.lines) {
    const key = known.get(`${name}+${id}`);
    if (key === undefined) continue;
    need(!seen.has(key), "signature_line", { name });
    seen.add(key);
    const time = await verifyLine(key, note, signature);
    if (time === undefined) unverified.push(name);
    else if (logs.includes(key)) byLog ||= key.type === ED25519;
    else cosigned.push({ key, time });
  }
  need(byLog, "unsigned");
  const [up, low] = [1, -1].map((direction) => quorumTime(policy, cosigned, direction));
  return { checkpoint, text: note.text, cosigned, up, low, unverified, witnessed: up !== null };
}
