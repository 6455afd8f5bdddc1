"""Scores as plain numbers, without torch."""

import subprocess
import sys


def test_scores_become_what_json_can_hold_without_torch():
    code = (
        "import json, sys; from switchseg.results import *; one = ClassScore(0, 'sky', None, None, 0, None, None);"
        "entry = Scores(*[0.5] * 6, (one,)).to_json(); assert json.loads(json.dumps(entry)) == entry;"
        "assert entry['per_class'][0]['name'] == 'sky' and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
