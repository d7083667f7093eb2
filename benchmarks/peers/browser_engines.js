// Engines that compute the shipped model in a browser, behind one interface, for `benchmarks/browser_engines.py`.
//
// A classic script, which runs in a page and in a Web Worker: LiteRT.js and TensorFlow.js load scripts of their own.

const NPM = "/npm";

function loadScript(url) {
  if (typeof importScripts === "function") return importScripts(url);
  return new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), { src: url, onload: resolve, onerror: reject });
    document.body.append(script);
  });
}

const download = async (url) => (await fetch(url)).arrayBuffer();

async function ours(plain) {
  const { readModel } = await import("/browser/engine.js");
  const model = readModel(await download("/model.bin"), { plain });
  return (image) => Float32Array.from(model.predict(image));
}

async function litert() {
  const { Tensor, loadAndCompile, loadLiteRt } = await import(`${NPM}/@litertjs/core/dist/index.js`);
  await loadLiteRt(`${NPM}/@litertjs/core/wasm/`);
  const model = await loadAndCompile("/model.tflite", { accelerator: "wasm" });
  return async (image) => {
    const input = new Tensor(Float32Array.from(image), [1, 28, 28, 1]);
    const [output] = await model.run(input);
    const result = Float32Array.from(await output.data());
    input.delete();
    output.delete();
    return result;
  };
}

async function tensorflow(backend) {
  const part = (name) => `${NPM}/@tensorflow/tfjs-${name}/dist/tf-${name}.es2017.min.js`;
  for (const name of ["core", "layers", `backend-${backend}`]) await loadScript(part(name));
  if (backend === "wasm") tf.wasm.setWasmPaths(`${NPM}/@tensorflow/tfjs-backend-wasm/dist/`);
  await tf.setBackend(backend);
  await tf.ready();
  const { openModelFile } = await import("/browser/model_file.js");
  const model = layersModel(openModelFile(await download("/model.bin")));
  const input = (image) => tf.tensor(Float32Array.from(image), [1, 28, 28, 1]);
  return (image) => tf.tidy(() => model.predict(input(image)).dataSync().slice());
}

/** The network of a model.bin as a tf.LayersModel. Knows the layers of the shipped model. */
function layersModel({ header, read }) {
  const model = tf.sequential();
  let scale = 1; // tf.layers has no Rescaling in every version: the first kernel takes it
  let shape = [header.input_size, header.input_size, 1];
  for (const { layer, kernel, bias, ...spec } of header.layers) {
    if (layer === "Rescaling") {
      scale = spec.scale;
      continue;
    }
    const { filters, units, kernel_size: kernelSize, pool_size: poolSize, ...rest } = spec;
    delete rest.width;
    const settings = { ...rest, filters, units, kernelSize, poolSize, inputShape: shape };
    for (const name in settings) if (settings[name] === undefined) delete settings[name];
    const kinds = { Conv2D: "conv2d", Dense: "dense", Flatten: "flatten", MaxPooling2D: "maxPooling2d" };
    const added = tf.layers[kinds[layer]](settings);
    model.add(added);
    if (kernel) {
      const sizes = layer === "Dense" ? [shape[0], units] : [kernelSize, kernelSize, shape[2], filters];
      const weights = read(kernel, kernel.length).map((value) => value * scale);
      added.setWeights([tf.tensor(weights, sizes), tf.tensor(read(bias, bias.length))]);
      scale = 1;
    }
    shape = added.outputShape.slice(1);
  }
  return model;
}

const ENGINES = {
  "ours": () => ours(false),
  "ours without WebAssembly": () => ours(true),
  "LiteRT.js": litert,
  "TensorFlow.js, wasm": () => tensorflow("wasm"),
  "TensorFlow.js, cpu": () => tensorflow("cpu"),
};

/** Starts a worker that runs an engine. Returns a function that asks it for predictions. */
async function inWorker(name) {
  const worker = new Worker(`${NPM}/@litertjs/core/wasm/engines.js`); // where LiteRT.js finds its WebAssembly
  const ask = (message) =>
    new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data.result));
      worker.onerror = ({ message: text }) => reject(new Error(text));
      worker.postMessage(message);
    });
  await ask({ name });
  return (image) => ask({ image });
}

/** Measures an engine. Returns the seconds until the first answer, the ms of each answer, and the answers. */
async function measure(name, count, useWorker) {
  const pixels = new Uint8Array(await download("/images"));
  const images = [];
  for (let start = 0; start < pixels.length; start += 784) images.push(pixels.subarray(start, start + 784));
  const began = performance.now();
  const predict = await (useWorker ? inWorker(name) : ENGINES[name]());
  await predict(images[0]);
  const first = (performance.now() - began) / 1000;
  const outputs = [];
  for (const image of images) outputs.push(Array.from(await predict(image)));
  const milliseconds = [];
  for (let number = 0; number < count; number++) {
    const start = performance.now();
    await predict(images[number % images.length]);
    milliseconds.push(performance.now() - start);
  }
  return { first, milliseconds, outputs };
}

if (typeof importScripts === "function") {
  let predict;
  onmessage = async ({ data: { name, image } }) => {
    try {
      if (name) predict = await ENGINES[name]();
      postMessage({ result: name ? null : await predict(image) });
    } catch (error) {
      postMessage({ error: String(error) });
    }
  };
}
