// What sealing needs of other people's libraries, and nothing else: esbuild makes static/seal/libraries.js of it.
export { CipherSuite, HkdfSha256, Aes256Gcm } from "@hpke/core";
export { XWing } from "@hpke/hybridkem-x-wing";
export { bech32 } from "@scure/base";
export { Decrypter, Encrypter, identityToRecipient } from "age-encryption";
export { createSHA256 } from "hash-wasm";
