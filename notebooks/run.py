"""Runs the notebooks, each from its first cell to its last, with `perf-analyze` from the path.

Without arguments the committed files stay as they are; with --write they get what was shown this time.
"""

import sys
import traceback
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
WRITE = "--write" in sys.argv
MOST_BYTES = 300_000

passed, failed = 0, 0
for path in sorted(HERE.glob("*.ipynb")):
    notebook = nbformat.read(path, as_version=4)
    try:
        assert path.stat().st_size < MOST_BYTES, f"{path.name} has become large"
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert code[0].source.startswith("!perf-analyze export"), "the first cell says where the data comes from"
        assert WRITE or all(cell.outputs for cell in code[:2]), "what it shows is committed: run with --write"
        NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(HERE)}}).execute()
        if WRITE:
            for cell in notebook.cells:
                cell.metadata.clear()
            nbformat.write(notebook, path)
    except Exception:  # Every notebook is to be run, whatever another meets.
        traceback.print_exc()
        failed += 1
        print(f"test {path.name} ... FAILED")
    else:
        passed += 1
        print(f"test {path.name} ... ok")
assert passed + failed >= 3, "the notebooks are there"
verdict = "FAILED" if failed else "ok"
print(f"test result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out")
sys.exit(failed > 0)
