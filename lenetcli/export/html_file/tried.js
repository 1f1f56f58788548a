/* Programs outside of a page, under Node: samples, each followed by the gradients of all outputs where gradients are
 * wanted; of each all outputs and, where wanted, the gradients of the input and of the weights that training changes. */
"use strict";

for (const { program, weights, samples, gradients } of jobs) {
  const net = new Net(program, decoded(weights)), found = [];
  const size = net.values[0].length, sizes = program.outputs.map((o) => net.values[o.value].length);
  const numbers = new Float32Array(decoded(samples).buffer);
  for (let at = 0; at < numbers.length; ) {
    net.run(numbers.subarray(at, (at += size)));
    found.push(...program.outputs.map((o) => net.values[o.value].slice()));
    if (!gradients) continue;
    net.backward(program.outputs.map((o, i) => [o.value, numbers.subarray(at, (at += sizes[i]))]));
    found.push(net.grads[0] ?? new Float32Array(size));
    for (const w of net.trained()) found.push(w.grad ?? new Float32Array(w.size));
  }
  process.stdout.write(Buffer.concat(found.map((y) => Buffer.from(y.buffer, y.byteOffset, y.byteLength))).toString("base64") + "\n");
}
