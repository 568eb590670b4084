// node pyodide.mjs NPM LAMBDA ROOT ARGUMENT…: pytest with these arguments in ROOT, by the Python in NPM and the packages in LAMBDA.
import { Worker, isMainThread, workerData } from "node:worker_threads";

if (isMainThread) {
  // Frames are large here: Node's usual stack would end before Python rejects an input that nests too deeply.
  const options = { workerData: process.argv.slice(2), resourceLimits: { stackSizeMb: 256 } };
  new Worker(new URL(import.meta.url), options).on("exit", (status) => (process.exitCode = status));
} else {
  const [npm, lambda, root, ...options] = workerData;
  const { loadPyodide } = await import(`${npm}/node_modules/pyodide/pyodide.mjs`);
  const python = await loadPyodide({ stdin: () => null, stdout: console.log, stderr: console.error });
  python.mountNodeFS("/repo", root);
  python.mountNodeFS("/packages", `${lambda}/packages`);
  python.globals.set("options", python.toPy(options));
  process.exitCode = python.runPython(`
import os, sys

sys.path += ["/repo/src", "/packages"]
os.chdir("/repo")
print("python%d.%d" % sys.version_info[:2])
import pytest

int(pytest.main(options))
`);
}
