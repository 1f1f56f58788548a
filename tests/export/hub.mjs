// What @huggingface/transformers makes of a folder and pictures: node hub.mjs MODULES FOLDER GRAY PICTURE ...
// Prints a line of JSON: for each picture its logits and what the pipeline says.
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [modules, folder, gray, ...pictures] = process.argv.slice(2);
const place = createRequire(path.resolve(modules, "x.js")).resolve("@huggingface/transformers");
const module = place.replace("transformers.node.cjs", "transformers.node.mjs");
const { AutoImageProcessor, AutoModelForImageClassification, RawImage, env, pipeline } = await import(pathToFileURL(module).href);
env.allowRemoteModels = false;
env.localModelPath = path.dirname(path.resolve(folder)) + path.sep;
const name = path.basename(folder);
const model = await AutoModelForImageClassification.from_pretrained(name, { dtype: "fp32" });
const processor = await AutoImageProcessor.from_pretrained(name);
const classify = await pipeline("image-classification", name, { dtype: "fp32" });
const found = [];
for (const file of pictures) {
  let picture = await RawImage.read(file);
  if (gray === "1") picture = picture.grayscale();
  const { logits } = await model(await processor(picture));
  found.push({ logits: Array.from(logits.data), pipeline: await classify(picture, { top_k: 1 }) });
}
console.log(JSON.stringify(found));
