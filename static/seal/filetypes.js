// What is doubtful about a file before it is sealed, when it can still be changed: by the table beside this script and the
// rules of agents/bid/filetypes.py, which tests hold to the same answers. A doubt warns; it stops nobody.
const table = fetch(new URL("./filetypes.json", import.meta.url), { credentials: "omit" }).then((answer) => answer.json());

// Latin-1 text has one letter for each byte, so that it can be searched like text.
const letters = (hex) => hex.replace(/../g, (pair) => String.fromCharCode(Number.parseInt(pair, 16)));
async function textOf(blob) {
  const data = new Uint8Array(await blob.arrayBuffer()), pieces = [];
  for (let at = 0; at < data.length; at += 8192) pieces.push(String.fromCharCode(...data.subarray(at, at + 8192)));
  return pieces.join("");
}

function begins(text, { starts, starts_within: within }) {
  return starts.map(letters).some((start) => text.slice(0, within + start.length).includes(start));
}

// Of the words "empty", "wrong_type", "truncated" and "locked".
export async function doubtsOf(file) {
  if (file.size === 0) return ["empty"];
  const extension = /\.([^.]+)$/.exec(file.name)?.[1].toLowerCase();
  const kind = (await table).kinds.find(({ extensions }) => extensions.includes(extension));
  if (kind === undefined) return [];
  if (!begins(await textOf(file.slice(0, kind.starts_within + 16)), kind)) return ["wrong_type"];
  const endsWith = async (wanted, within) => (await textOf(file.slice(Math.max(0, file.size - within)))).includes(letters(wanted));
  const doubts = [];
  if (kind.ends !== undefined && !(await endsWith(kind.ends, kind.ends_within))) doubts.push("truncated");
  if (kind.locked !== undefined && (await endsWith(kind.locked, kind.locked_within))) doubts.push("locked");
  return doubts;
}
