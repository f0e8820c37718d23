// One lot and stage of one procedure as the bundle shows it: its records in order and the documents they name.
import { compare } from "./fields.js";
import { isPractice } from "./records.js";

// The order in which a lot lives; a later milestone without an earlier one means that a record was withheld.
export const MILESTONES = [
  "policy.fixed", "tender.published", "deadline.reached", "tender.closed", "open.ordered", "factor.opened",
  "factor.closed", "release.closed", "opening.combined", "opening.completed", "bids.ranked", "award.determined",
  "result.published",
];
const BY_BID = [
  "factor.revealed", "factor.refused", "rescue.accepted", "bid.opened", "bid.verdict", "rehearsal.checked",
];

// One version of a bid: its bid.received or bid.withdrawn record and the document, if the bundle has it.
class Version {
  constructor(logged, document) {
    const { seq, envelope_sha256: envelope, withdrawal_sha256: withdrawal } = logged.body;
    const received = logged.kind === "bid.received";
    Object.assign(this, { logged, document, seq, received, sha256: received ? envelope : withdrawal });
  }
}

export class Lot {
  constructor(evidence, own, lot, stage) {
    Object.assign(this, { evidence, lot, stage, procedure: own[0].procedure });
    this.place = `${this.procedure} lot ${lot} stage ${stage}`;
    const here = ({ body }) => body.lot === lot && body.stage === stage;
    this.bids = new Set(own.filter((logged) => Object.hasOwn(logged.body, "bid") && here(logged)).map(({ body }) => body.bid));
    this.records = own.filter((logged) => {
      if (BY_BID.includes(logged.kind)) return this.bids.has(logged.body.bid);
      if (logged.kind === "bid.refused") return logged.record.subject === `lot:${lot}`;
      return here(logged) || logged.kind === "procedure.cancelled";
    });
    this.kinds = Map.groupBy(this.records, (logged) => logged.kind);
    this.orders = this.pairs("open.ordered", "order_sha256", "sb1.open-order");
  }
  all(kind) {
    return this.kinds.get(kind) ?? [];
  }
  first(kind) {
    return this.all(kind)[0] ?? null;
  }
  last(kind) {
    return this.all(kind).at(-1) ?? null;
  }
  // The records of a kind with the documents they name, where the bundle has them.
  pairs(kind, name, typ) {
    return this.named(this.all(kind), name, typ);
  }
  named(records, name, typ) {
    const found = records.map((logged) => [logged, this.evidence.document(logged.body[name], typ)]);
    return found.filter(([, document]) => document !== null);
  }
  // Whether a milestone is absent although a later one is there.
  missing(kind) {
    const later = MILESTONES.slice(MILESTONES.indexOf(kind) + 1);
    return this.first(kind) === null && later.some((other) => this.first(other) !== null);
  }
  // Whether a bundle of a lower tier still hides the ceremony: until opening.completed (S11).
  get veiled() {
    return this.evidence.header.kind === "public" && this.first("opening.completed") === null;
  }
  get closed() {
    return this.first("tender.closed");
  }
  // The policy in force at the close, or the newest one.
  get policy() {
    const named = this.closed ?? this.last("policy.fixed");
    return named === null ? null : this.evidence.document(named.body.policy_sha256, "sb1.policy");
  }
  // The schedules in log order, each with the record that published it.
  get schedules() {
    const published = this.records.filter(({ kind }) => ["tender.published", "tender.changed"].includes(kind));
    return this.named(published, "schedule_sha256", "mb.schedule");
  }
  get schedule() {
    return this.schedules.at(-1)?.[1].value ?? null;
  }
  get order() {
    return this.orders.at(-1)?.[1] ?? null;
  }
  // Whether bidders hold a factor; without a policy the default.
  get factorMode() {
    return this.policy === null || this.policy.value.bidder_factor;
  }
  envelope(sha256) {
    return this.evidence.document(sha256, "sb1.envelope");
  }
  // Per bid its received and withdrawn versions in log order.
  get versions() {
    if (this.found === undefined) {
      this.found = new Map();
      for (const logged of this.records.filter(({ kind }) => ["bid.received", "bid.withdrawn"].includes(kind))) {
        const { bid, envelope_sha256: envelope, withdrawal_sha256: withdrawal } = logged.body;
        const document = logged.kind === "bid.received"
          ? this.envelope(envelope)
          : this.evidence.document(withdrawal, "sb1.withdrawal");
        this.found.set(bid, [...(this.found.get(bid) ?? []), new Version(logged, document)]);
      }
    }
    return this.found;
  }
  get everyVersion() {
    return [...this.versions.values()].flat();
  }
  get received() {
    return this.everyVersion.filter((version) => version.received);
  }
}

// The lots that the bundle is about: the one it names, or all that its records show.
export function lotsOf(evidence) {
  const { procedure, lot, stage } = evidence.header;
  const named = evidence.records.filter((logged) => logged.procedure !== null && !isPractice(logged.procedure) &&
    [null, logged.procedure].includes(procedure));
  const lots = [];
  for (const [, own] of [...Map.groupBy(named, (logged) => logged.procedure)].sort(([left], [right]) => compare(left, right))) {
    const places = new Map();
    for (const { kind, body } of own) {
      if (MILESTONES.includes(kind)) places.set(JSON.stringify([body.lot, body.stage]), [body.lot, body.stage]);
    }
    const sorted = [...places.values()].sort((left, right) => compare(left[0], right[0]) || compare(left[1], right[1]));
    for (const [found, at] of sorted) {
      if ([null, found].includes(lot) && [null, at].includes(stage)) lots.push(new Lot(evidence, own, found, at));
    }
  }
  return lots;
}
