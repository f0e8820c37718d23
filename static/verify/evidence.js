// What a bundle shows: disclosed records at their positions, documents, verified checkpoints; shared by all checks.
import { KeyRing } from "./keys.js";

const TIERS = ["log", "public", "bidders", "audit"];

// A disclosed record at its position; h is hex, t the sequencer's time and `at` the transaction's, both in ms.
export class Logged {
  constructor(n, t, h, record, place) {
    Object.assign(this, { n, t, h, record, place });
    Object.assign(this, { kind: record.kind, body: record.body, at: record.at, procedure: record.procedure });
  }
}

// A document whose bytes, name and fields are in order; `signers` holds those whose signature verified.
export class Document {
  constructor(sha256, data, value, sigs) {
    Object.assign(this, { sha256, typ: value.typ, data, value, sigs, signers: [], usedAt: null });
    this.place = `docs/${sha256}.json`;
  }
  // Alternatives of a role are written a|b.
  signedBy(role) {
    return this.signers.find((signer) => role.split("|").includes(signer.role)) ?? null;
  }
}

export class Evidence {
  constructor(bundle, trust, report, header) {
    Object.assign(this, { bundle, trust, report, header, records: [], documents: new Map(), tree: null, main: null });
    Object.assign(this, { notes: [], noted: new Map(), consistent: new Map(), kinds: null });
    this.keys = new KeyRing(trust);
  }
  holds(tier) {
    return TIERS.indexOf(this.header.tier) >= TIERS.indexOf(tier);
  }
  get wholeLog() {
    return this.header.kind === "audit";
  }
  document(sha256, typ) {
    const found = this.documents.get(sha256);
    return found !== undefined && found.typ === typ ? found : null;
  }
  ofType(typ) {
    return [...this.documents.values()].filter((document) => document.typ === typ);
  }
  // In log order; only after the records are complete.
  ofKind(kind) {
    this.kinds ??= Map.groupBy(this.records, (logged) => logged.kind);
    return this.kinds.get(kind) ?? [];
  }
}
