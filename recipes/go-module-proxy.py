"""Makes a folder that `go` takes for a module proxy (GOPROXY=file://FOLDER), with one module in it.

For machines that reach no proxy: the module's sources come with something else.

usage: go-module-proxy.py FOLDER MODULE VERSION SOURCES
"""

import json
import pathlib
import sys
import zipfile

folder, module, version, sources = sys.argv[1:]
sources = pathlib.Path(sources)
place = pathlib.Path(folder, module, "@v")
place.mkdir(parents=True, exist_ok=True)
with zipfile.ZipFile(place / f"{version}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    for file in sorted(file for file in sources.rglob("*") if file.is_file()):
        archive.write(file, f"{module}@{version}/{file.relative_to(sources).as_posix()}")
(place / f"{version}.info").write_text(json.dumps({"Version": version}))
(place / f"{version}.mod").write_text((sources / "go.mod").read_text())
(place / "list").write_text(f"{version}\n")
