// Runs an application of the board wasm: node run.mjs PROGRAM ARGUMENT...
import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";

const wasi = new WASI({
  version: "preview1",
  args: process.argv.slice(2),
  preopens: { ".": ".", "/dev": "/dev" }, // programs write into the working folder, tests to /dev/full
  returnOnExit: true,
});
const program = await WebAssembly.compile(readFileSync(process.argv[2]));
process.exitCode = wasi.start(await WebAssembly.instantiate(program, wasi.getImportObject()));
