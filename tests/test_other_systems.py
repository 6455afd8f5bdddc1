"""Nothing that is imported at start is only on Linux, as far as Linux can tell: neither Windows nor macOS could be run.

What the others lack is taken away, after torch and whatever else is imported has been: they have ways of their own.
"""

import subprocess
import sys

import pytest

PROGRAM = """
import importlib, io, os, pkgutil, select, signal, sys, types

def import_all():
    import switchseg
    for module in pkgutil.walk_packages(switchseg.__path__, "switchseg."):
        # Libraries are no modules; hosts and Triton are not everywhere, and no command needs them.
        hosts = module.name.startswith(("switchseg.integrations", "switchseg.norms.operator.kernels"))
        if not (hosts or module.name.split(".")[-1].startswith("_")):
            importlib.import_module(module.name)

def take(owner, *names):
    for name in names:
        if hasattr(owner, name):
            delattr(owner, name)

import_all()
for name in [name for name in sys.modules if name.split(".")[0] == "switchseg"]:
    del sys.modules[name]
sys.platform = sys.argv[1]
take(os, "memfd_create", "pidfd_open", "posix_fadvise", "posix_fallocate", "sched_getaffinity", "sched_setaffinity")
opened = io.open
def without_proc(path, *arguments, **options):
    if str(path).startswith(("/proc/", "/sys/")):
        raise FileNotFoundError(path)
    return opened(path, *arguments, **options)
io.open = without_proc
if sys.platform == "win32":
    take(os, "fork", "geteuid", "getuid", "killpg", "mkfifo", "O_NOFOLLOW", "O_NONBLOCK", "pread", "register_at_fork",
         "setsid", "sysconf")
    take(select, "poll")
    take(signal, "SIGALRM", "SIGHUP", "SIGKILL", "SIGUSR1", "alarm", "pthread_sigmask", "setitimer")
    sys.modules.update(dict.fromkeys(("fcntl", "grp", "posix", "pty", "pwd", "resource", "termios", "tty")))
    sys.modules["msvcrt"] = types.ModuleType("msvcrt")
    os.O_BINARY = 0
import_all()
"""

SOME_WORK = """
import resource, torch
from switchseg.engine.memory import Memory
memory = Memory(torch.device("cpu"))
# More than the imports ever held: a process tells its largest size alone.
largest = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with memory.peak() as peak:
    torch.ones(largest + 2**28, dtype=torch.uint8)
# Linux counts in 1024 bytes what macOS counts in bytes.
assert 1024 * peak.size > 2**27, peak
assert memory.free() > 2**28
"""

pytestmark = pytest.mark.slow  # 300 modules, and what they import


@pytest.mark.parametrize(("platform", "then"), [("win32", ""), ("darwin", SOME_WORK)])
def test_all_modules_are_imported_without_what_a_system_lacks(platform, then):
    command = [sys.executable, "-c", PROGRAM + then, platform]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
