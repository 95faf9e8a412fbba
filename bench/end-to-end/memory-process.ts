/**
 * Has the machine find memory: `memory-process BYTES` writes to each page of so much, and ends. What it leaves is free,
 * and a virtual machine's host has it: with free page reporting (linux: mm/page_reporting.c) the host takes back what
 * has been free for some seconds, and who needs it next waits 9 µs a page instead of 1.5.
 */
const PIECE_BYTES = 256 << 20;
const PAGE_BYTES = 4096;

const pieces: Uint8Array[] = [];
for (let left = Number(process.argv[2]); left > 0; left -= PIECE_BYTES) {
  const piece = new Uint8Array(new SharedArrayBuffer(Math.min(left, PIECE_BYTES)));
  for (let at = 0; at < piece.length; at += PAGE_BYTES) piece[at] = 1;
  pieces.push(piece);
}
