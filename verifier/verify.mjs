// An independent verifier of the log, written from docs/audit-format.md and what it cites, and from nothing else: it shares no code
// with the gate. Plain Node.js 20, no packages. "§" names a section of audit-format.md.
//
//   node verify.mjs DIR [--key VKEY] [--against FILE]...      a log; exits 0 when it is whole, 3 when it is not, 65 when a head
//                                                             that was given is one of another log
//   node verify.mjs --proof FILE --key VKEY [--leaf FILE]     a proof; the leaf is in its line `extra`, or in FILE

import { createHash, createPublicKey, verify as verifySignature } from "node:crypto";
import { closeSync, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

// §"Limits"
const MAX = { leaf: 65_535, segment: 33_554_432, bundle: 16_777_472, tile: 8_192, note: 262_144, keys: 1_048_576, signatures: 64, signature: 8_192,
  line: 1_572_864, history: 2 ** 30, key: 1_024, proof: 524_288, hashes: 63, index: 2n ** 63n - 1n, first: 2n ** 63n - 2n ** 25n - 1n, listed: 100, search: 2 ** 28 };
class Fault extends Error { constructor(kind, message, index) { super(message); this.kind = kind; this.index = index; } }
class OtherLog extends Fault {}
class Refused extends Error {}

// ---- Files. Lengths are taken once, of a fresh opening, and nothing above its limit is read (§"Verifying", "While a gate writes").
const absent = (e, value) => { if (e.code === "ENOENT" || e.code === "ENOTDIR") return value; throw e; };
const list = path => { try { return readdirSync(path).sort(); } catch (e) { return absent(e, []); } };
function read(path, limit) {
  let file;
  try { file = openSync(path, "r"); } catch (e) { return absent(e, null); }
  try {
    const status = fstatSync(file), { size } = status;
    if (status.isDirectory()) return null;                      // no file, whatever it is called (§"The files")
    if (size > limit) throw new Fault("file", `${path} has ${size} bytes, more than ${limit}`);
    const bytes = Buffer.alloc(size);
    let length = 0;
    for (let n; length < size && (n = readSync(file, bytes, length, size - length, null)) > 0;) length += n;
    return bytes.subarray(0, length);
  } finally { closeSync(file); }
}

// Texts, of one spelling each (base64 of RFC 4648 §4, decimals without zeros before them): null for what is none.
const utf8 = bytes => { try { return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes); } catch { return null; } };
const json = bytes => { try { return JSON.parse(utf8(bytes)); } catch { return null; } };
const base64 = text => { const bytes = Buffer.from(text, "base64"); return bytes.toString("base64") === text ? bytes : null; };
const decimal = text => /^(0|[1-9][0-9]{0,18})$/.test(text) && BigInt(text) <= MAX.index ? BigInt(text) : null;

// ---- The tree (RFC 6962 §2.1)
const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();
export const hashLeaf = leaf => sha256(Buffer.of(0), leaf);
const hashNode = (left, right) => sha256(Buffer.of(1), left, right);
const hashPerfect = hashes => hashes.length === 1 ? hashes[0]
  : hashNode(hashPerfect(hashes.slice(0, hashes.length / 2)), hashPerfect(hashes.slice(hashes.length / 2)));

/// RFC 9162 §2.1.3.2: the root that an inclusion proof leads to, or null. Sizes are BigInts.
export function rootOfInclusion(index, size, hash, proof) {
  if (index < 0n || index >= size) return null;
  let fn = index, sn = size - 1n;
  for (const p of proof) {
    if (sn === 0n || p.length !== 32) return null;
    if ((fn & 1n) === 1n || fn === sn) {
      hash = hashNode(p, hash);
      while ((fn & 1n) === 0n && fn !== 0n) { fn >>= 1n; sn >>= 1n; }
    } else hash = hashNode(hash, p);
    fn >>= 1n; sn >>= 1n;
  }
  return sn === 0n ? hash : null;
}

/// The tree as its right edge: of each level the hashes of the tile that is not full yet. `onTile(level, N, hashes)` gets each full one.
class Tree {
  constructor(onTile) { this.onTile = onTile; this.size = 0; this.levels = Array.from({ length: 8 }, () => ({ n: 0, hashes: [] })); }
  append(hash) {
    this.size++;
    for (let level = 0; level < 8; level++) {
      const edge = this.levels[level];
      edge.hashes.push(hash);
      if (edge.hashes.length < 256) return;
      this.onTile(level, edge.n, edge.hashes);
      hash = hashPerfect(edge.hashes);
      edge.n++; edge.hashes = [];
    }
  }
  root() {
    let root = null;
    for (const { hashes } of this.levels) {                     // perfect subtrees, from the right
      let end = hashes.length;
      for (let bit = 1; bit < 256; bit *= 2) {
        if ((hashes.length & bit) === 0) continue;
        const peak = hashPerfect(hashes.slice(end - bit, end));
        root = root === null ? peak : hashNode(peak, root);
        end -= bit;
      }
    }
    return root ?? sha256();
  }
}

// ---- Keys and checkpoints (§"Checkpoints"; C2SP signed-note, tlog-checkpoint)
export function parseKey(text) {
  const match = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/u.exec(text.replace(/\n$/, ""));
  const bytes = match && base64(match[3]);
  if (!bytes || bytes.length !== 33 || bytes[0] !== 1) throw new Fault("signature", "the key is no verifier key of Ed25519");
  const id = sha256(match[1], "\n", bytes).subarray(0, 4);
  if (id.toString("hex") !== match[2]) throw new Fault("signature", "the id of the key is not that of its bytes");
  const key = createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x: bytes.subarray(1).toString("base64url") } });
  return { name: match[1], id, key, text: match[0] };
}

/// The head that a note is, or a Fault: `checkpoint` for its form, `signature` for its origin and signature.
export function parseCheckpoint(bytes, key) {
  const bad = why => { throw new Fault("checkpoint", why); };
  if (bytes.length > MAX.note) throw new Fault("file", `a note has more than ${MAX.note} bytes`);
  const note = utf8(bytes);
  if (note === null || /[\0-\x09\x0b-\x1f]/.test(note) || !note.endsWith("\n")) bad("a note is not text that ends in a newline");
  const split = note.lastIndexOf("\n\n");
  if (split < 0) bad("a note has no empty line before its signatures");
  const text = note.slice(0, split + 1), lines = text.slice(0, -1).split("\n");
  const size = decimal(lines[1] ?? ""), root = base64(lines[2] ?? "");
  if (lines.some(l => l === "") || size === null || root?.length !== 32) bad("a note is no checkpoint: origin, size, root");
  const signatures = note.slice(split + 2, -1).split("\n").map(line => {
    const match = /^\u2014 ([^+\s]+) ([A-Za-z0-9+/=]+)$/u.exec(line);
    const value = match && match[2].length <= MAX.signature && base64(match[2]);
    if (!value || value.length < 5) bad("a note has a line that is no signature");
    return { name: match[1], id: value.subarray(0, 4), value: value.subarray(4) };
  });
  if (signatures.length > MAX.signatures) throw new Fault("file", `a note has more than ${MAX.signatures} signatures`);
  const unsigned = (Kind, why) => { throw new Kind("signature", why, Number(size)); };
  if (key === null) unsigned(Fault, "there is no key to check a head with");
  key = key.of ? key.of(Number(size)) : key;                    // of several, the one that signs heads of this size
  if (lines[0] !== key.name) unsigned(OtherLog, `a head is of "${lines[0]}", not of "${key.name}"`);
  // Others are ignored, also those of the same name: a cosignature has another id.
  const own = signatures.filter(s => s.name === key.name && s.id.equals(key.id));
  if (own.length === 0 || !own.every(s => verifySignature(null, Buffer.from(text), key.key, s.value)))
    unsigned(Fault, `the head of ${size} leaves is not signed by the log's key`);
  return { size: Number(size), exactSize: size, root };
}

/// The keys of a log (§"Keys"): each line has the proof of an event, under a head that the key before and the new one have signed.
export function readKeys(bytes, known) {
  const keys = [], bad = n => { throw new Fault("signature", `line ${n} of verifier-keys introduces no key`); };
  const lines = (utf8(bytes) ?? bad(1)).split("\n");
  if (lines.pop() !== "") bad(lines.length + 1);
  for (const [i, line] of lines.entries()) {
    const text = json(Buffer.from(line))?.proof;
    if (typeof text !== "string") bad(i + 1);
    try {
      const leaf = base64(/^c2sp\.org\/tlog-proof@v1\nextra (.*)\n/.exec(text)[1]), event = json(leaf);
      const [previous, next] = [parseKey(event.previous), parseKey(event.key)];
      if (!leaf.subarray(0, 25).equals(Buffer.from('{"type":"log.key_rotated"')) || next.name !== previous.name) bad(i + 1);
      if (keys.length === 0) keys.push({ ...previous, from: -1 });
      const size = checkProof(text, previous).size;
      if (keys.at(-1).text !== previous.text || keys.some(k => k.text === next.text) || size <= keys.at(-1).from || checkProof(text, next).size !== size) bad(i + 1);
      keys.push({ ...next, from: size, handover: Buffer.from(text.slice(text.indexOf("\n\n") + 2)) });
    } catch { bad(i + 1); }
  }
  if (keys.length === 0) return null;
  if (!keys.some(k => k.text === known.text)) throw new Fault("signature", "the log's key is none of those in verifier-keys");
  return { keys, name: known.name, of: size => keys.findLast(k => k.from < size), has: key => keys.some(k => k.text === key.text) };
}

// ---- The journal (§"The journal")
const CRC = Uint32Array.from({ length: 256 }, (_, i) => { for (let k = 0; k < 8; k++) i = i & 1 ? (i >>> 1) ^ 0x82F63B78 : i >>> 1; return i >>> 0; });
export function crc32c(bytes, start = 0, end = bytes.length, crc = 0) {
  crc = ~crc;
  for (let i = start; i < end; i++) crc = CRC[(crc ^ bytes[i]) & 0xFF] ^ (crc >>> 8);
  return ~crc >>> 0;
}

function recordAt(segment, offset) {                            // the length of the leaf, or 0 where no whole record is
  if (segment.length - offset < 8) return 0;
  const n = segment.readUInt32LE(offset);
  if (n < 1 || n > MAX.leaf || segment.length - offset - 8 < n) return 0;
  return crc32c(segment, offset + 8, offset + 8 + n, crc32c(segment, offset, offset + 4)) === segment.readUInt32LE(offset + 4) ? n : 0;
}
function nextRecord(segment, offset) {                          // the first later offset with a whole record, or the end
  for (let taken = 0; ++offset < segment.length && taken < MAX.search;) {
    if (recordAt(segment, offset) > 0) return offset;
    const n = segment.length - offset < 4 ? 0 : segment.readUInt32LE(offset);
    if (n >= 1 && n <= MAX.leaf) taken += n;
  }
  return segment.length;
}

class Journal {
  constructor(dir, fault, signed) {                             // `signed`: the size of the largest known head
    const names = list(dir).filter(name => /^journal-[0-9]{20}$/.test(name));
    this.there = names.length > 0;
    this.begin = this.end = this.there ? Number(names[0].slice(8)) : 0;
    this.torn = 0;
    this.records = this.readAll(dir, names, fault, signed);
    this.current = this.records.next().value;
  }
  *readAll(dir, names, fault, signed) {
    for (const [i, name] of names.entries()) {
      const first = Number(name.slice(8));
      // Ours can count up to 2^53 only: it takes what lies between for what no leaf has.
      if (BigInt(name.slice(8)) > MAX.first || !Number.isSafeInteger(first + MAX.segment)) throw new Fault("file", `${name} is named by a number that no leaf has`);
      if (first !== this.end) fault("gap", `${name} follows a segment that ends at ${this.end}`, this.end);
      const segment = read(join(dir, name), MAX.segment);
      let index = first;
      this.end = first;
      for (let at = 0; segment && at < segment.length;) {
        const n = recordAt(segment, at);
        if (n > 0) {
          yield { index, leaf: segment.subarray(at + 8, at + 8 + n) };
          at += 8 + n;
        } else {
          const last = i === names.length - 1, next = last && index >= signed ? segment.length : nextRecord(segment, at);
          if (last && next === segment.length) { this.torn = segment.length - at; break; }
          fault("checksum", `${name} has no whole record at offset ${at}`, index);
          at = next;
        }
        this.end = ++index;                                     // how many leaves were damaged cannot be known: taken for one
      }
    }
  }
  take(index) {                                                 // the leaf of this index; those before it are read, and passed over
    while (this.current && this.current.index < index) this.current = this.records.next().value;
    return this.current?.index === index ? this.current.leaf : null;
  }
}

// ---- Tiles and bundles (§"The tree"; C2SP tlog-tiles)
const tilePath = n => String(n).padStart(Math.ceil(String(n).length / 3) * 3, "0").match(/.{3}/g)
  .map((group, i, all) => i < all.length - 1 ? `x${group}` : group).join("/");
function* numbersIn(dir, prefix = "") {                         // of all bundles, full or partial, in no order
  for (const name of list(dir)) {
    if (/^x[0-9]{3}$/.test(name) && prefix + name.slice(1) !== "000") yield* numbersIn(join(dir, name), prefix + name.slice(1));
    else if (/^[0-9]{3}$/.test(name)) yield Number(prefix + name);
    else if (/^[0-9]{3}\.p$/.test(name) && widths(join(dir, name)).length > 0) yield Number(prefix + name.slice(0, 3));
  }
}
const widths = dir => list(dir).filter(name => /^[1-9][0-9]{0,2}$/.test(name) && Number(name) < 256).map(Number);

function entriesOf(bytes, most) {                               // the first leaves of a bundle, and how many bytes stand behind them
  const leaves = [];
  let at = 0;
  while (leaves.length < most && bytes.length - at >= 2) {
    const n = bytes.readUInt16BE(at);
    if (n === 0 || bytes.length - at - 2 < n) break;
    leaves.push(bytes.subarray(at + 2, at + 2 + n));
    at += 2 + n;
  }
  return { leaves, left: bytes.length - at };
}

// ---- A log (§"Verifying")
function verifyLog(dir, keyText, against) {
  const faults = [];
  let count = 0;
  const fault = (kind, text, index) => { if (count++ < MAX.listed) faults.push({ kind, index, text }); };
  const attempt = (action, index) => {                          // what is too large ends it: nothing more is read
    try { return action(); } catch (e) { if (!(e instanceof Fault) || e.kind === "file") throw e; fault(e.kind, e.message, e.index ?? index); return null; }
  };

  // 1. Heads
  let key = keyText ? parseKey(keyText) : null;
  attempt(() => {
    const bytes = read(join(dir, "verifier-key"), MAX.key);
    if (bytes === null && key === null) throw new Fault("signature", "there is no verifier-key, and no key was given");
    const beside = bytes === null ? key : parseKey(utf8(bytes) ?? "");
    const known = key ?? beside, introduced = read(join(dir, "verifier-keys"), MAX.keys);
    key = known;
    key = (introduced && readKeys(introduced, known)) ?? known;
    if (key.has ? !key.has(beside) : beside.text !== known.text) throw new Fault("signature", "the key beside the log is not the one given");
  });
  const known = new Map();                                      // size -> { root, given }
  const head = (bytes, given) => {
    let found;
    try { found = parseCheckpoint(bytes, key); } catch (e) { throw given && e instanceof OtherLog ? new Refused(e.message) : e; }
    const other = known.get(found.size);
    if (other && !other.root.equals(found.root)) fault("root", `two heads of ${found.size} leaves have different roots`, found.size);
    known.set(found.size, { root: other?.root ?? found.root, given: given || other?.given });
    return found.size;
  };
  const lines = (bytes, given) => {                             // the form of `checkpoints`
    for (let at = 0, end; at < bytes.length; at = end + 1) {
      end = bytes.indexOf(10, at);
      const last = end < 0;
      if (last) end = bytes.length;
      attempt(() => {
        if (end - at > MAX.line) throw new Fault("file", `a line of heads has more than ${MAX.line} bytes`);
        const note = bytes[at] === 0x7b ? json(bytes.subarray(at, end))?.checkpoint : undefined;
        if (given && typeof note !== "string") return;          // what stands among them is passed over
        try { head(Buffer.from(typeof note === "string" ? note : ""), given); }
        catch (e) { if (!(last && e.kind === "checkpoint")) throw e; }
      });
    }
  };
  attempt(() => lines(read(join(dir, "checkpoints"), MAX.history) ?? Buffer.alloc(0), false));
  for (const k of key?.keys ?? []) if (k.handover) attempt(() => head(k.handover, false));
  const newest = attempt(() => { const bytes = read(join(dir, "checkpoint"), MAX.note); return bytes ? head(bytes, false) : undefined; });
  for (const path of against) attempt(() => {
    const bytes = read(path, MAX.history) ?? Buffer.alloc(0);
    if (bytes.subarray(0, 23).toString() === "c2sp.org/tlog-proof@v1\n") head(bytes.subarray(bytes.indexOf("\n\n") + 2), true);
    else if (bytes.toString("latin1").split("\n").some(line => line.startsWith('{"checkpoint"'))) lines(bytes, true);
    else try { head(bytes, true); } catch (e) { throw e.kind === "checkpoint" ? new Refused(`${path} has no checkpoint`) : e; }
  });
  const S = newest ?? 0;
  // The widths of partial tiles and bundles to judge: those of known sizes up to S.
  const edges = Array.from({ length: 8 }, (_, level) => new Set([...known.keys()].filter(k => k <= S).map(k => Math.floor(k / 256 ** level))));
  const partial = (path, level, n, most) => widths(`${path}.p`).filter(w => w <= most && edges[level].has(n * 256 + w));
  const largest = Math.max(0, ...known.keys());
  if ((newest ?? null) === null && known.size > 0) fault("checkpoint", "there is no good checkpoint, though there are other heads", largest);
  else if (largest > S) fault("checkpoint", `checkpoint is of ${S} leaves, and another head of ${largest}`, largest);

  // 2. The beginning
  const tileFile = (level, n) => join(dir, "tile", String(level), ...tilePath(n).split("/"));
  const tileHash = (level, index) => {                          // out of the full tile, or any partial one that has it
    const path = tileFile(level, Math.floor(index / 256)), at = index % 256 * 32;
    for (const candidate of [path, ...widths(`${path}.p`).sort((a, b) => b - a).map(w => join(`${path}.p`, String(w)))]) {
      const bytes = read(candidate, MAX.tile);
      if (bytes && bytes.length >= at + 32) return bytes.subarray(at, at + 32);
    }
    throw new Fault("tile", `no tile has hash ${index} of level ${level}`);
  };
  let F = Infinity, lastBundle = -1;
  for (const n of numbersIn(join(dir, "tile", "entries"))) { F = Math.min(F, n * 256); lastBundle = Math.max(lastBundle, n); }
  if (F === Infinity) F = 0;
  let hashing = true;
  if (F > S) { fault("gap", `the first bundle begins at ${F}, and ${S} leaves are signed`, S); F = 0; }

  const compareTile = (level, n, hashes, needed) => attempt(() => {
    const beneath = n * 256 ** (level + 1);                     // the first leaf that it is about
    const path = tileFile(level, n), want = Buffer.concat(hashes), what = `tile/${level}/${tilePath(n)}`;
    let found = false;
    const compare = (bytes, length, whole, name) => {
      if (bytes.length < length || (whole && bytes.length !== length)) fault("tile", `${name} has ${bytes.length} bytes`, beneath);
      else if (!bytes.subarray(0, length).equals(want.subarray(0, length))) fault("tile", `${name} has other hashes than the leaves`, beneath);
    };
    const full = read(path, MAX.tile);
    if (full) { found = true; compare(full, want.length, hashes.length === 256, what); }
    for (const w of partial(path, level, n, hashes.length)) {
      const bytes = read(join(`${path}.p`, String(w)), MAX.tile);
      if (bytes) { found ||= w === hashes.length; compare(bytes, w * 32, true, `${what}.p/${w}`); }
    }
    if (needed && !found) fault("tile", `${what} is missing, of ${hashes.length} hashes`, beneath);
  });
  const tree = new Tree((level, n, hashes) => { if ((n + 1) * 256 ** (level + 1) <= S) compareTile(level, n, hashes, true); });
  if (F > 0 && hashing) {
    hashing = attempt(() => {
      tree.size = F;
      for (let level = 0; level < 8; level++) {
        const total = Math.floor(F / 256 ** level), edge = tree.levels[level];
        edge.n = Math.floor(total / 256);
        for (let i = edge.n * 256; i < total; i++) edge.hashes.push(Buffer.from(tileHash(level, i)));
      }
      return true;
    }, F) ?? false;
  }
  // The root of leaves [a, b) out of tiles: a perfect subtree is in a tile, or below hashes of one; all others are split as RFC 6962 does.
  const half = n => { let k = 1; while (k * 2 < n) k *= 2; return k; };
  const rangeRoot = (a, b) => {
    const height = Math.log2(b - a);
    if (Number.isInteger(height) && a % (b - a) === 0) {
      const level = Math.floor(height / 8), unit = 256 ** level;
      return hashPerfect(Array.from({ length: (b - a) / unit }, (_, i) => tileHash(level, a / unit + i)));
    }
    const k = half(b - a);
    return hashNode(rangeRoot(a, a + k), rangeRoot(a + k, b));
  };
  const consistent = (a, b, m) => {                             // RFC 6962 §2.1.2: [old, new] root out of the nodes of the proof from m to b
    if (m === b) return Array(2).fill(rangeRoot(a, b));
    const k = half(b - a);
    if (m > a + k) { const left = rangeRoot(a, a + k); return consistent(a + k, b, m).map(right => hashNode(left, right)); }
    const [old, now] = consistent(a, a + k, m);
    return [old, hashNode(now, rangeRoot(a + k, b))];
  };
  for (const [size, { root, given }] of hashing ? known : []) {
    if (size === 0 && !root.equals(sha256())) fault("root", "a head of no leaves has another root", 0);
    if (size >= F || size === 0) continue;                      // the leaves will show it
    try {
      const [old, now] = consistent(0, F, size);
      if (!now.equals(tree.root()) || !old.equals(root)) fault("root", `the head of ${size} leaves is not the beginning of this log`, size);
    } catch (e) {
      if (!(e instanceof Fault)) throw e;
      if (given) fault("root", `the head of ${size} leaves cannot be checked: ${e.message}`, size);
    }
  }
  // 3. Each leaf
  const journal = new Journal(dir, fault, largest);
  const pruned = [];
  let signedEvent = false, leavesOfBundle = [], bundles = [], signedRoot = S === 0 ? sha256() : null, length = F;
  const atSize = () => {
    const size = tree.size, here = known.get(size);
    if (here && !here.root.equals(tree.root())) fault("root", `the first ${size} leaves have another root than the head signed`, size);
    if (size !== S) return;
    signedRoot = tree.root();
    tree.levels.forEach(({ n, hashes }, level) => { if (hashes.length > 0) compareTile(level, n, hashes, true); });
  };
  const bundleFile = n => join(dir, "tile", "entries", ...tilePath(n).split("/"));
  const openBundle = n => attempt(() => {                       // the copies that S needs; the first that has a leaf gives it
    const path = bundleFile(n), want = Math.min(256, S - n * 256), copies = [];
    for (const [candidate, whole] of want < 256 ? [[join(`${path}.p`, String(want)), true], [path, false]] : [[path, true]]) {
      const bytes = read(candidate, MAX.bundle);
      if (bytes === null) continue;
      const { leaves, left } = entriesOf(bytes, want);
      if (leaves.length < want || (whole && left > 0)) fault("bundle", `${candidate} has ${leaves.length} whole leaves and ${left} bytes more`, n * 256 + Math.min(leaves.length, want - 1));
      copies.push(leaves);
    }
    if (copies.length === 0) fault("bundle", `tile/entries/${tilePath(n)} is missing, of ${want} leaves`, n * 256);
    return copies;
  }) ?? [];
  const comparePartialBundles = (n, leaves) => attempt(() => {  // older ones are the beginning of what they grew to
    for (const w of partial(bundleFile(n), 0, n, leaves.length)) {
      if (n * 256 + w === S) continue;                          // that one was read, and judged
      const bytes = read(join(`${bundleFile(n)}.p`, String(w)), MAX.bundle), old = bytes && entriesOf(bytes, w);
      if (old && (old.leaves.length < w || old.left > 0 || !old.leaves.every((leaf, i) => leaf.equals(leaves[i]))))
        fault("bundle", `tile/entries/${tilePath(n)}.p/${w} is not the beginning of its bundle`, n * 256);
    }
  });
  if (hashing && F > 0) atSize();
  let opened = -1;
  for (let i = F; ; i++) {
    const inJournal = journal.take(i);
    if (i >= S && !journal.current) break;
    if (i < S && Math.floor(i / 256) !== opened) {
      opened = Math.floor(i / 256);
      if (!journal.current && opened > lastBundle) { fault("bundle", `bundles from ${i} on are missing`, i); break; }
      bundles = openBundle(opened);
      leavesOfBundle = [];
    }
    const copies = i < S ? bundles.map(b => b[i % 256]).filter(Boolean) : [];
    const leaf = copies[0] ?? inJournal;                        // below S the bundle's copy is hashed: it is the one that a verifier needs
    if (inJournal && copies.some(c => !c.equals(inJournal))) fault("copies_differ", `journal and bundle differ in leaf ${i}`, i);
    else if (copies.some(c => !c.equals(leaf))) fault("bundle", `the partial bundle and the full one differ in leaf ${i}`, i);
    if (!leaf) {                                                // however far the next one is, it is not counted up to
      if (hashing) fault("gap", `leaf ${i} is nowhere`, i);
      hashing = false;
      if (journal.current?.index > i) i = journal.current.index - 1;
      continue;
    }
    length = i + 1;
    judge(leaf, i);
    if (hashing) { tree.append(hashLeaf(leaf)); atSize(); }
    if (i < S && leavesOfBundle.push(leaf) && (i % 256 === 255 || i === S - 1) && leavesOfBundle.length === i % 256 + 1)
      comparePartialBundles(Math.floor(i / 256), leavesOfBundle);
  }
  function judge(leaf, i) {
    const type = /^\{"type":"([^"]*)/.exec(leaf.subarray(0, 64).toString("latin1"))?.[1];
    if (type === undefined) return fault("no_event", `leaf ${i} does not begin as an event`, i);
    if (type === "checkpoint.signed") signedEvent = true;
    if (type !== "start" && !(type === "log.pruned" && i < S)) return;
    const event = json(leaf), whole = v => Number.isInteger(v) && v >= 0;
    const needed = type === "start" ? ["process", "version", "after_clean_stop", "bytes_cut", "recovered", "durability"] : ["snapshot"];
    const good = event && ["id", "time", "elapsed", ...needed].every(name => event[name] !== undefined)
      && (type === "start" || (whole(event.minimum_index) && whole(event.journal_index)));
    if (!good) return fault("no_event", `leaf ${i}, a ${type}, cannot be read`, i);
    if (type === "log.pruned") return pruned.push(event);
    if ((event.follows_size === undefined) !== (event.follows_root === undefined)) fault("start", `the start at ${i} names half a head`, i);
    if (event.follows_size !== undefined && event.follows_size !== i) fault("start", `the start at ${i} says that it follows ${event.follows_size} leaves`, i);
    if (hashing && event.follows_root !== undefined && event.follows_root !== tree.root().toString("base64"))
      fault("start", `the start at ${i} names another root than that of the leaves before it`, i);
  }
  // 4. The end
  if (journal.there && journal.end < S) fault("shorter", `the journal ends at ${journal.end}, and ${S} leaves are signed`, journal.end);
  for (const size of known.keys()) if (size > length) fault("shorter", `${length} leaves are there, and a head is of ${size}`, size);
  if (F > 0 && !pruned.some(p => p.minimum_index >= F)) fault("gap", `the leaves before ${F} are missing, and no signed event says so`, F);
  if (journal.begin > 0 && !pruned.some(p => p.journal_index >= journal.begin))
    fault("gap", `the journal before ${journal.begin} is missing, and no signed event says so`, journal.begin);
  if (lastBundle >= 0 && !journal.there && known.size === 0) fault("checkpoint", "there are bundles, and neither a journal nor a head");
  if (signedEvent && newest === undefined && known.size === 0) fault("checkpoint", "heads were signed, and there is no checkpoint");
  return { whole: count === 0, length, signed: S, root: signedRoot?.toString("base64") ?? null, faults, torn: journal.torn };
}

// ---- A proof (§"Proofs"; C2SP tlog-proof)
function verifyProof(path, keyText, leafPath) {
  const bad = why => { throw new Fault("proof", why); };
  const text = utf8(read(path, MAX.proof) ?? bad(`${path} is not there`)) ?? bad("the proof is not UTF-8");
  const leaf = leafPath ? read(leafPath, MAX.leaf) ?? bad(`${leafPath} is not there`) : null;
  const head = checkProof(text, parseKey(keyText ?? bad("a proof needs --key")), leaf);
  return { whole: true, length: Number(head.index) + 1, signed: head.size, root: head.root.toString("base64"), faults: [] };
}

function checkProof(text, key, leaf = null) {                   // its head and index, or a Fault
  const bad = why => { throw new Fault("proof", why); };
  const split = text.indexOf("\n\n");
  if (split < 0) bad("the proof has no empty line before its checkpoint");
  const lines = text.slice(0, split).split("\n");
  if (lines.shift() !== "c2sp.org/tlog-proof@v1") bad("the first line is not that of a proof");
  const extra = lines[0]?.startsWith("extra ") ? base64(lines.shift().slice(6)) ?? bad("extra is not base64") : null;
  leaf ??= extra;
  if (leaf === null) bad("the proof has no leaf in extra");
  const index = (lines[0]?.startsWith("index ") ? decimal(lines.shift().slice(6)) : null) ?? bad("the proof has no index");
  if (lines.length > MAX.hashes) bad(`the proof has more than ${MAX.hashes} hashes`);
  const hashes = lines.map(l => { const h = base64(l); return h?.length === 32 ? h : bad("a hash is not 32 bytes of base64"); });
  const head = parseCheckpoint(Buffer.from(text.slice(split + 2)), key);
  if (!rootOfInclusion(index, head.exactSize, hashLeaf(leaf), hashes)?.equals(head.root)) bad("the proof does not lead to the signed root");
  return { ...head, index };
}

function main(args) {
  const usage = () => { console.error("usage: verify.mjs DIR [--key VKEY] [--against FILE]... | --proof FILE --key VKEY [--leaf FILE]"); return 2; };
  const given = { against: [] };
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--against" && i + 1 < args.length) given.against.push(args[++i]);
    else if (["--key", "--proof", "--leaf"].includes(args[i]) && i + 1 < args.length) given[args[i].slice(2)] = args[++i];
    else if (!args[i].startsWith("--") && given.dir === undefined) given.dir = args[i];
    else return usage();
  }
  if ((given.dir === undefined) === (given.proof === undefined)) return usage();
  let result;
  try { result = given.proof ? verifyProof(given.proof, given.key, given.leaf) : verifyLog(given.dir, given.key, given.against); }
  catch (e) {
    if (e instanceof Refused) { console.error(e.message); return 65; }
    if (!(e instanceof Fault)) throw e;
    result = { whole: false, length: 0, signed: 0, root: null, faults: [{ kind: e.kind, text: e.message }] };
  }
  console.log(JSON.stringify(result));
  return result.whole ? 0 : 3;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) process.exitCode = main(process.argv.slice(2));
