// Whose signature is valid where: the trust file, the log's key records, and the position of use (P5.5, P6.2).
import { Fault, need } from "./bytes.js";
import { verifyEs256 } from "./es256.js";

// Parties whose keys a reader may take from the log; everyone else must stand in the trust file (P5.5).
const FROM_LOG = ["bidder", "ack"];

export class KeyRing {
  constructor(trust) {
    Object.assign(this, { trust, registered: new Map(), revoked: new Map(), spki: new Map() });
  }
  // The signer, or null if the algorithm is no part of this verifier; `usedAt` null: the position is unknown.
  async verify(data, signature, usedAt) {
    const [signer, spki] = this.owner(signature.kid);
    if (signature.alg !== "ES256") return null;
    this.checkPosition(signer, usedAt);
    await verifyEs256(spki, data, signature);
    return signer;
  }
  owner(kid) {
    const known = this.trust.institutions.get(kid);
    if (known !== undefined) return [{ kid, role: known.role, name: known.name }, known.spki];
    const [event] = this.registered.get(kid) ?? [];
    if (event === undefined) throw new Fault("key_unknown", { kid });
    need(FROM_LOG.includes(event.role), "key_untrusted", { kid, role: event.role });
    need(this.spki.has(kid), "key_missing", { kid });
    return [{ kid, role: event.role, name: event.org }, this.spki.get(kid)];
  }
  checkPosition({ kid, name }, usedAt) {
    if (usedAt === null) return;
    const events = this.registered.get(kid) ?? [], revoked = this.revoked.get(kid) ?? [];
    const pinned = this.trust.institutions.has(kid) && events.length === 0;
    need(pinned || events.some(({ n }) => n < usedAt), "key_early", { kid, name, n: usedAt });
    need(!revoked.some(({ n }) => n < usedAt), "key_revoked", { kid, name, n: usedAt });
  }
  // Every key that appears in more than one role (P6.1).
  roleClashes() {
    const roles = new Map([...this.trust.institutions].map(([kid, { role }]) => [kid, new Set([role])]));
    for (const [kid, events] of this.registered) {
      if (!roles.has(kid)) roles.set(kid, new Set());
      for (const { role } of events) roles.get(kid).add(role);
    }
    return [...roles].filter(([, found]) => found.size > 1).map(([kid, found]) => ({ kid, roles: [...found].sort() }));
  }
}
