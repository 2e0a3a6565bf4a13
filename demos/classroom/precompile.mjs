// Compiles an archive of Python files by the Python that will run them. Pyodide's standard library comes as source; to
// compile it at each start took longer than all else. Arguments: an archive, where to write it with its compiled files,
// and "library", whose files are read from the archive, compiled ones alone, or "packages", which are unpacked first.

import { readFile, writeFile } from "node:fs/promises";

import { loadPyodide } from "pyodide";

const [source, target, kind] = process.argv.slice(2);

const CODE = `
import compileall, pathlib, py_compile, zipfile

def pack(folder, path, library):
    place = "/lib/python312.zip" if library else "/lib/python3.12/site-packages"  # where tracebacks find the files
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH  # nobody edits them: no need to compare with a source
    compileall.compile_dir(
        folder, quiet=1, legacy=library, invalidation_mode=unchecked, stripdir=folder, prependdir=place
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(pathlib.Path(folder).rglob("*")):
            if file.is_file() and not (library and file.with_suffix(".pyc").exists() and file.suffix == ".py"):
                # A fixed date: the same files make the same archive.
                name = zipfile.ZipInfo(file.relative_to(folder).as_posix(), (1980, 1, 1, 0, 0, 0))
                archive.writestr(name, file.read_bytes(), zipfile.ZIP_DEFLATED)
`;

try {
  const python = await loadPyodide();
  python.unpackArchive(new Uint8Array(await readFile(source)), "zip", { extractDir: "/unpacked" });
  python.runPython(CODE);
  python.globals.get("pack")("/unpacked", "/packed.zip", kind === "library");
  await writeFile(target, python.FS.readFile("/packed.zip"));
} catch (error) {
  console.error(error.message); // not the line of its origin, which is a megabyte long
  process.exit(1);
}
