def test_norms_and_their_floor_are_timed_in_every_pass(capsys):
    from benchmarks.host import run

    run(["--device", "cpu", "--dtype", "float32", "--side", "2", "--calls", "3", "--rounds", "2", "--no-save"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("SwitchNorm: ")
    assert [line.split()[:2] for line in lines[1:]] == [
        [name, variant] for name in ("forward", "forward+backward", "evaluation") for variant in ("bn", "floor", "sn")
    ]
