// What onnxruntime's JavaScript editions make of the files of tools/readers.py: node tools/readers.mjs FOLDER [MODULES]
// MODULES: the folder whose node_modules holds onnxruntime-node and onnxruntime-web (default: here).
import { createRequire } from "node:module";
import fs from "node:fs";
import path from "node:path";

const [folder, modules = "."] = process.argv.slice(2);
const require = createRequire(path.resolve(modules, "x.js"));
for (const reader of ["onnxruntime-node", "onnxruntime-web"]) {
  let runtime;
  try {
    runtime = require(reader);
  } catch (error) {
    console.log(`${reader}: not here: ${error.message.split("\n")[0]}`);
    continue;
  }
  const home = require.resolve(reader).split(`${path.sep}${reader}${path.sep}`)[0];
  const { version } = JSON.parse(fs.readFileSync(path.join(home, reader, "package.json"), "utf8"));
  if (runtime.env.wasm) runtime.env.wasm.numThreads = 1;
  const files = {};
  for (const name of fs.readdirSync(folder).filter((name) => name.endsWith(".onnx")).sort()) {
    const stem = name.slice(0, -".onnx".length);
    const given = JSON.parse(fs.readFileSync(path.join(folder, `${stem}.json`), "utf8"));
    try {
      const session = await runtime.InferenceSession.create(fs.readFileSync(path.join(folder, name)));
      const whole = given.type === "int64";
      const x = whole ? BigInt64Array.from(given.x.map(BigInt)) : Float32Array.from(given.x);
      const { output } = await session.run({ input: new runtime.Tensor(whole ? "int64" : "float32", x, given.shape) });
      const largest = Math.max(1, ...given.y.map(Math.abs));
      const near = output.data.length === given.y.length && given.y.every((y, i) => Math.abs(y - output.data[i]) <= 1e-4 * largest);
      files[stem] = near ? "ok" : "differs";
    } catch (error) {
      files[stem] = `refused: ${String(error.message).slice(0, 300)}`;
    }
  }
  fs.writeFileSync(path.join(folder, `${reader}-${version}.result.json`), JSON.stringify({ version, files }, null, 1));
  const values = Object.values(files);
  const count = (word) => values.filter((value) => value === word).length;
  console.log(`${reader}-${version}: ${count("ok")} of ${values.length}, ${count("differs")} differ`);
}
