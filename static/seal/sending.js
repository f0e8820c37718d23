// Parts first, then the envelope, as the API takes them (SB1 S7.1). Every call may be repeated: the same bytes give the
// same answer.

// Status 0: no answer came, and whether the request arrived is not known.
async function sent(path, headers, body) {
  const answer = await fetch(path, { method: "POST", headers, body, credentials: "omit" }).catch(() => null);
  if (answer === null) return { status: 0, content: {} };
  const content = await answer.json().catch(() => ({}));
  return { status: answer.status, content };
}

// The answer to the envelope, or the first refusal of a part. `token`: of the bidder, for these calls.
export async function send({ bid, parts, envelope }, token, tell) {
  const authorization = { Authorization: `Bearer ${token}`, Accept: "application/json" };
  for (const { name, sha256, file } of parts) {
    const headers = { ...authorization, "Content-Type": "application/octet-stream", "X-Content-SHA256": sha256 };
    const answer = await sent(`/api/v1/bids/${bid}/parts?name=${name}`, headers, file);
    if (answer.status !== 201) return answer;
    tell(name);
  }
  return sent(`/api/v1/bids/${bid}/envelope`, { ...authorization, "Content-Type": "application/json" }, JSON.stringify(envelope));
}
