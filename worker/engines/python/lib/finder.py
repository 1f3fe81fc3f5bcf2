"""Where modules come from in a process without files: those sent with the job, and the image of the standard library.

The image is made in the zygote: source, compiled code and data of each file, one behind the other in read-only memory. Shared objects are loaded there
too, under the names that they have in the image, so that libc finds them again without asking for a file.
"""

import _coop
import _frozen_importlib_external as external
import _imp
import functools
import marshal
import os
import sys
from _frozen_importlib import BuiltinImporter, FrozenImporter, spec_from_loader

SKIPPED_DIRS = {"test", "tests", "idlelib", "lib2to3", "turtledemo", "ensurepip", "__pycache__", "lib-dynload", "config-3.11-x86_64-linux-gnu",
                "dist-packages", "site-packages"}
SKIPPED_OBJECTS = ("_test", "_ctypes_test", "_xxtestfuzz", "xxlimited", "_tkinter", "_curses", "readline", "_dbm", "_gdbm", "ossaudiodev", "nis")
ABSENT = {
    "tkinter": "there is no display in here", "turtle": "there is no display in here", "idlelib": "there is no display in here",
    "curses": "there is no terminal in here", "_curses": "there is no terminal in here", "readline": "there is no terminal in here",
    "ensurepip": "nothing is installed in here", "pip": "nothing is installed in here",
    "lib2to3": "it is not in the image of the standard library", "test": "it is not in the image of the standard library",
}
SUFFIX = ".cpython-311-x86_64-linux-gnu.so"


class Entry:
    """A file of the image: where its source stands, and its compiled code."""
    __slots__ = ("path", "source_at", "source_len", "code_at", "code_len", "package")

    def __init__(self, path, package):
        self.path, self.package = path, package
        self.source_at = self.source_len = self.code_at = self.code_len = 0


CORE = frozenset(sys.modules)  # what Python has before any script: nothing that is sent stands in for these


class Image:
    """modules: name -> Entry. objects: name -> path. data: path -> (at, len). paths: path -> Entry."""

    def __init__(self):
        self.modules, self.objects, self.data, self.paths, self.memory = {}, {}, {}, {}, None

    def read(self, entry_at, entry_len):
        return bytes(self.memory[entry_at:entry_at + entry_len])


image = Image()
sent = {}  # of the job: a module's name -> (path, source, is it a package)
sent_files = {}  # path -> bytes


# ---- making it, in the zygote ---------------------------------------------------------------------------------------------------------

def compiled(path, source):
    """The code that Debian has compiled at installation, when it is of this source; else it is compiled here."""
    try:
        with open(external.cache_from_source(path), "rb") as f:
            code = f.read()
        stat = os.stat(path)
        if (code[:4] == external.MAGIC_NUMBER and code[4:8] == b"\0\0\0\0" and
                int.from_bytes(code[8:12], "little") == int(stat.st_mtime) & 0xffffffff and
                int.from_bytes(code[12:16], "little") == stat.st_size & 0xffffffff):
            return code[16:]
    except OSError:
        pass
    try:
        return marshal.dumps(compile(source, path, "exec", dont_inherit=True, optimize=0))
    except (SyntaxError, ValueError):
        return None  # templates of code, and the like: no module


def add_module(name, path, package):
    with open(path, "rb") as f:
        source = f.read()
    code = compiled(path, source)
    if code is None:
        return
    entry = Entry(path, package)
    entry.source_len, entry.code_len = len(source), len(code)
    entry.source_at, entry.code_at = _coop.image_add(source), _coop.image_add(code)
    image.modules[name] = image.paths[path] = entry


def add_data(path):
    with open(path, "rb") as f:
        data = f.read()
    image.data[path] = (_coop.image_add(data), len(data))


def add_tree(directory, prefix):
    """All of a directory and what is below it. One without an __init__.py is a namespace, as far as it has modules."""
    before = len(image.modules) + len(image.objects)
    add_files(directory, prefix)
    name = prefix[:-1]
    if name and name not in image.modules and len(image.modules) + len(image.objects) > before:
        image.modules[name] = Entry(None, True)


def add_files(directory, prefix):
    for item in sorted(os.scandir(directory), key=lambda item: item.name):
        stem = item.name[:-3]
        if item.is_dir():
            if item.name not in SKIPPED_DIRS and item.name.isidentifier():
                add_tree(item.path, f"{prefix}{item.name}.")
        elif item.name.endswith(".py"):
            if stem == "__init__" and prefix:
                add_module(prefix[:-1], item.path, True)
            elif stem.isidentifier() or stem.replace("-", "_").isidentifier():
                add_module(prefix + stem, item.path, False)
        elif item.name.endswith(".so"):
            add_object(prefix + item.name.partition(".")[0], item.path)


def add_object(name, path):
    if name.startswith(SKIPPED_OBJECTS):
        return
    try:
        _coop.load_object(path)
    except OSError:
        return  # what it needs is not installed; its import will say so
    image.objects[name] = path


def add_zones(directory, package):
    """Time zones, as the package tzdata has them: zoneinfo asks that when it finds no file."""
    path = directory + "/__init__.py"
    image.modules[package] = image.paths[path] = entry = Entry(path, True)
    code = marshal.dumps(compile("", path, "exec"))
    entry.code_at, entry.code_len = _coop.image_add(code), len(code)
    names = []
    for item in sorted(os.scandir(directory), key=lambda item: item.name):
        if item.is_dir() and item.name not in ("posix", "right"):
            names += [f"{item.name}/{name}" for name in add_zones(item.path, f"{package}.{item.name}")]
        elif item.is_file() and open(item.path, "rb").read(4) == b"TZif":
            add_data(item.path)
            names.append(item.name)
    return names


def add_tzdata(directory):
    names = "\n".join(add_zones(directory, "tzdata.zoneinfo")).encode()
    image.data[directory + "/zones"] = (_coop.image_add(names), len(names))
    image.modules["tzdata"] = image.modules["tzdata.zoneinfo"]


not_given = set()  # what dist-packages has, for whoever has not got the capability


def note_packages(directory):
    try:
        for item in os.scandir(directory):
            stem = item.name.partition(".")[0]
            if stem.isidentifier() and (item.is_dir() or item.name.endswith((".py", ".so"))):
                not_given.add(stem)
    except OSError:
        pass


def build(stdlib, packages):
    add_tree(stdlib, "")
    if packages is not None and os.path.isdir(packages):
        add_tree(packages, "")
    else:
        note_packages("/usr/lib/python3/dist-packages")
    if os.path.isdir("/usr/share/zoneinfo"):
        add_tzdata("/usr/share/zoneinfo")
    for item in os.scandir(stdlib + "/lib-dynload"):
        if item.name.endswith(".so"):
            add_object(item.name.partition(".")[0], item.path)
    image.memory = _coop.image_seal()


# ---- serving from it -------------------------------------------------------------------------------------------------------------------

class Resources:
    """importlib.resources over what has get_data()."""

    def __init__(self, loader, directory):
        self.loader, self.directory = loader, directory

    def open_resource(self, name):
        import io
        try:
            return io.BytesIO(self.loader.get_data(f"{self.directory}/{name}"))
        except OSError:
            raise FileNotFoundError(name) from None

    def resource_path(self, name):
        raise FileNotFoundError(name)

    def is_resource(self, name):
        return f"{self.directory}/{name}" in self.loader.files()

    def contents(self):
        start = self.directory + "/"
        return iter(sorted({path[len(start):].partition("/")[0] for path in self.loader.files() if path.startswith(start)}))


class ImageLoader(external.SourceLoader):
    """A module of the image."""

    def __init__(self, entry):
        self.entry = entry

    def get_filename(self, name=None):
        return self.entry.path

    def get_data(self, path):
        entry = image.paths.get(path)
        if entry is not None:
            return image.read(entry.source_at, entry.source_len)
        if path in image.data:
            return image.read(*image.data[path])
        raise FileNotFoundError(2, "not in the image of the standard library", path)

    def get_code(self, name):
        entry = self.entry
        return marshal.loads(image.memory[entry.code_at:entry.code_at + entry.code_len])

    def is_package(self, name):
        return self.entry.package

    def files(self):
        return image.data

    def get_resource_reader(self, name):
        return Resources(self, os.path.dirname(self.entry.path)) if self.entry.package else None


class SentLoader(external.SourceLoader):
    """A module that was sent with the job."""

    def __init__(self, path, package):
        self.path, self.package = path, package

    def get_filename(self, name=None):
        return self.path

    def get_data(self, path):
        try:
            return sent_files[path]
        except KeyError:
            raise FileNotFoundError(2, "was not sent with the job", path) from None

    def is_package(self, name):
        return self.package

    def files(self):
        return sent_files

    def get_resource_reader(self, name):
        return Resources(self, os.path.dirname(self.path)) if self.package else None


def take_sent(modules):
    """Names as they were sent: "a.py" and "a/b.py" are modules, "a/__init__.py" makes a a package."""
    for path, source in modules.items():
        path = path.removeprefix("./")
        sent_files[path] = source
        stem = path.removesuffix(".py")
        package = stem.endswith("/__init__")
        name = stem.removesuffix("/__init__").replace("/", ".")
        if path.endswith(".py") or "." not in path.rpartition("/")[2]:
            sent[name] = (path, package)
            if name not in CORE:
                sys.modules.pop(name, None)  # loaded ahead; the job's own comes first
            parent = name.rpartition(".")[0]
            while parent and parent not in sent:
                sent[parent] = (None, True)  # a directory: a namespace
                parent = parent.rpartition(".")[0]


class Finder:
    """What was sent comes first, then Python's own."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        found = sent.get(name)
        if found is not None:
            return spec_of_sent(name, *found)
        entry = image.modules.get(name)
        if entry is not None:
            return spec_of(name, ImageLoader(entry), entry.path, entry.package) if entry.path else spec_of_namespace(name)
        origin = image.objects.get(name)
        if origin is not None:
            spec = spec_from_loader(name, external.ExtensionFileLoader(name, origin), origin=origin)
            spec.has_location = True
            return spec
        return None

    @staticmethod
    def invalidate_caches():
        pass


def is_import(frame):
    """Whether this finder is asked for an import, and not by importlib.util.find_spec() or the like, who want to hear None."""
    while frame is not None and frame.f_code.co_name == "_find_spec":
        frame = frame.f_back
    return frame is not None and frame.f_code.co_name == "_find_and_load_unlocked"


def why_absent(name):
    """None: for no reason that is known."""
    top = name.partition(".")[0]
    if top in not_given and top not in ABSENT:
        return "it is one of Debian's packages, which the capability gives: --cap packages"
    return ABSENT.get(top)


class LastFinder:
    """Nobody has it: says why, where that is known."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        why = why_absent(name)
        if why is not None and is_import(sys._getframe(1)):
            raise ModuleNotFoundError(f"No module named {name!r}: {why}", name=name)
        return None


def spec_of(name, loader, path, package):
    spec = spec_from_loader(name, loader, origin=path, is_package=package)
    spec.has_location = True
    if package:
        spec.submodule_search_locations = [os.path.dirname(path)]
    return spec


def spec_of_namespace(name):
    spec = spec_from_loader(name, None, is_package=True)
    spec.submodule_search_locations = [name.replace(".", "/")]
    return spec


def spec_of_sent(name, path, package):
    if path is None:
        return spec_of_namespace(name)
    return spec_of(name, SentLoader(path, package), path, package)


# ---- directories of what was sent ------------------------------------------------------------------------------------------------------

class SentEntry:
    """What os.scandir() tells of one of them: an os.DirEntry cannot be made."""
    __slots__ = ("name", "path", "_is_dir")

    def __init__(self, name, path, is_dir):
        self.name, self.path, self._is_dir = name, path, is_dir

    def is_dir(self, *, follow_symlinks=True):
        return self._is_dir

    def is_file(self, *, follow_symlinks=True):
        return not self._is_dir

    def is_symlink(self):
        return False

    def stat(self, *, follow_symlinks=True):
        return os.stat(self.path)

    def inode(self):
        return os.stat(self.path).st_ino

    def __fspath__(self):
        return self.path

    def __repr__(self):
        return f"<DirEntry {self.name!r}>"


class SentEntries:
    """An iterator of them that can be closed."""

    def __init__(self, entries):
        self.entries = iter(entries)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.entries)

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()

    def close(self):
        self.entries = iter(())


def entries_of(path):
    """name -> is it a directory; None: no directory of what was sent, and the kernel's word holds."""
    if path is None or isinstance(path, int):
        return None
    start = os.path.normpath("/" + os.fsdecode(path)).strip("/") + "/"
    found = {}
    for sent_path in sent_files:
        if sent_path.startswith(start):
            name, slash, _ = sent_path[len(start):].partition("/")
            found[name] = bool(slash)
    return found or None


def list_directories():
    listdir, scandir = os.listdir, os.scandir

    @functools.wraps(listdir)
    def list_sent(path=None):
        found = entries_of(path)
        if found is None:
            return listdir(path)
        return [os.fsencode(name) for name in found] if isinstance(os.fspath(path), bytes) else list(found)

    @functools.wraps(scandir)
    def scan_sent(path=None):
        found = entries_of(path)
        if found is None:
            return scandir(path)
        path = os.fspath(path)
        kind = os.fsencode if isinstance(path, bytes) else str
        return SentEntries([SentEntry(kind(name), os.path.join(path, kind(name)), is_dir) for name, is_dir in found.items()])

    list_sent.__module__ = scan_sent.__module__ = "os"  # where pickle finds them, by name
    os.listdir, os.scandir = list_sent, scan_sent


def install():
    list_directories()
    for name, module in list(sys.modules.items()):
        entry = image.modules.get(name)
        if entry is not None and isinstance(getattr(module, "__loader__", None), external.SourceFileLoader):
            module.__loader__ = module.__spec__.loader = ImageLoader(entry)  # read from a file, until now
    sys.path[:] = []
    sys.path_hooks.clear()
    sys.path_importer_cache.clear()
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, Finder, LastFinder]
