#!/bin/sh
# Makes .venv, installs a requirements file and the command `digitlab` into it, or does nothing if all is done already:
#
#     sh .ci/venv.sh requirements.txt
#     PYTHON=python3.12 sh .ci/venv.sh requirements-dev.txt
#     LOCKED=1 sh .ci/venv.sh requirements-dev.txt              # the versions in deploy/locks/, checked by their hashes
#
# Files in .venv record the progress: .home (the folder it was made for), .installing (the process that is installing),
# .installed-FILE (the text of FILE when its installation finished) and .installed-digitlab (the same for the command).
set -eu
CDPATH='' cd -- "${0%/*}/.."
requirements=$1
here=$(pwd -P)
venv_python=.venv/bin/python
newline='
'

say() { printf '%s\n' "$@"; }
die() { say "$@" >&2; exit 1; }

# The text of the file, with that of the files it includes, and of its lock if that is installed.
wanted() {
    [ "$1" = requirements.txt ] || cat requirements.txt
    [ "$1" != requirements-dev.txt ] || cat requirements-sign-in.txt
    cat "$1"
    [ -z "${LOCKED:-}" ] || cat "deploy/locks/$1"
}

# What the installation of the command depends on: pyproject.toml without the settings of ruff, mypy and pytest.
package_settings() { sed '/^\[tool\.ruff/,$d' pyproject.toml; }

how_to_get_python() {
    cat <<'MESSAGE'
Install one of them, then run make again:
  Debian, Ubuntu   sudo apt install python3 python3-venv
                   (where that is too old: python3.11 python3.11-venv)
  Fedora           sudo dnf install python3.13
  macOS            brew install python@3.13, or the installer from www.python.org
  Windows          winget install Python.Python.3.13 (README.md has the commands for Windows, which has no make)
It is there, but under another name? make PYTHON=/path/to/python3.12
MESSAGE
}

# Sets $python and $version to the first Python that can be used, or says what is missing.
find_python() {
    if [ -n "${PYTHON:-}" ]; then set -- "$PYTHON"; else set -- python3 python3.13 python3.12 python3.11; fi
    found='' without_venv=''
    for python; do
        command -v "$python" >/dev/null 2>&1 || continue
        # A launcher may be there without its Python: pyenv's and macOS's are.
        version=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || version=''
        case $version in
        3.11.* | 3.12.* | 3.13.*)
            # Debian and Ubuntu have these two in a package of their own.
            if "$python" -c 'import ensurepip, venv' 2>/dev/null; then return; fi
            without_venv=${without_venv:-"$python (Python $version)"}
            ;;
        '') found="$found  $python, which does not run$newline" ;;
        *) found="$found  $python is Python $version$newline" ;;
        esac
    done
    [ -z "$without_venv" ] || no_venv_module "$without_venv"
    die "Digit Lab needs Python 3.11, 3.12 or 3.13 (TensorFlow has no build for others). Found:" \
        "${found:-  no ${PYTHON:-python3}$newline}" "$(how_to_get_python)"
}

no_venv_module() {
    die "$1 cannot make a virtual environment: its module venv or ensurepip is missing." \
        "  Debian, Ubuntu   sudo apt install python3-venv" \
        "                   (for a Python beside the system's own: python3.11-venv, python3.12-venv, python3.13-venv)" \
        "Then run make again, or name another Python: make PYTHON=/path/to/python3.12"
}

# Whether each installed package has all its files: false after an installation that was cut off.
packages_are_whole() {
    "$venv_python" - <<'PYTHON'
import csv
import sys
from importlib.metadata import distributions
from pathlib import Path

def is_whole(package):
    """Each package comes with a list of its files and their sizes; pip writes it last."""
    rows = list(csv.reader((package.read_text("RECORD") or "").splitlines()))
    files = [(Path(package.locate_file(name)), int(size)) for name, _, size in rows if size]
    return bool(rows) and all(path.is_file() and path.stat().st_size == size for path, size in files)

sys.exit(not all(map(is_whole, distributions())))
PYTHON
}

# Prints why .venv has to be made anew; prints nothing where it is good.
why_unusable() {
    if ! "$venv_python" -c '' >/dev/null 2>&1; then
        say "its Python does not run (was it moved or removed?)"
    elif ! "$venv_python" -c 'import sys; sys.exit(sys.prefix == sys.base_prefix)'; then
        say "it is incomplete"
    elif ! "$venv_python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'; then
        say "Digit Lab needs Python 3.11, 3.12 or 3.13, and it has another one"
    elif [ -f .venv/.home ] && [ "$(cat .venv/.home)" != "$here" ]; then
        say "it was made for $(cat .venv/.home)"
    elif ! [ -f .venv/.home ] && ! "$venv_python" -m pip --version >/dev/null 2>&1; then
        say "it has no working pip"
    elif [ -f .venv/.installing ] && ! packages_are_whole; then
        say "an installation into it was cut off"
    fi
}

# PYTHON counts when .venv is made; nobody's .venv is thrown away for it.
mention_other_python() {
    show_version='import sys; print("%d.%d" % sys.version_info[:2])'
    [ -n "${PYTHON:-}" ] && asked=$("$PYTHON" -c "$show_version" 2>/dev/null) || return 0
    made=$("$venv_python" -c "$show_version")
    [ "$asked" = "$made" ] || say "Note: .venv keeps Python $made. To make it with $PYTHON: make clean, then this again."
}

refuse_beside_another() {
    [ -f .venv/.installing ] || return 0
    process=$(cat .venv/.installing)
    if [ -n "$process" ] && kill -0 "$process" 2>/dev/null; then
        die "Process $process is installing into .venv: wait for it, then run make again." \
            "(If that process is something else, delete the file .venv/.installing.)"
    fi
}

make_venv() {
    find_python
    say "Making .venv with $python (Python $version)."
    if ! "$python" -m venv .venv; then
        rm -rf .venv
        no_venv_module "$python (Python $version)"
    fi
}

# pip says a line for each of eighty packages. Shown are those that take time.
show_progress() {
    while IFS= read -r line; do
        case $line in
        *Downloading*MB*) say "  downloading ${line#*Downloading }" ;;
        *"Installing collected packages"*) say "  unpacking, a minute or so" ;;
        esac
    done
}

# Locked versions come by uv, on both cores and in half of pip's time. It does not read pip's settings, such as a
# mirror: pip takes over where it fails. The hashes are the same.
install_by_uv() {
    [ -n "${LOCKED:-}" ] || return
    sed -n '/^uv==/,/[^\\]$/p' deploy/locks/requirements-dev.txt >.venv/.uv.txt
    "$venv_python" -m pip install --disable-pip-version-check --no-input --quiet --no-deps --require-hashes \
        -r .venv/.uv.txt &&
        "$venv_python" -m uv pip install --quiet --compile-bytecode --python "$venv_python" --require-hashes \
            -r "deploy/locks/$requirements" &&
        rm .venv/.installing
}

install() {
    say "Installing $requirements."
    [ -f .venv/.installed-requirements.txt ] ||
        say "The first time that is about 1 GB to download and 3.5 GB on the disk; it takes a few minutes."
    text=$(wanted "$requirements")
    echo $$ >.venv/.installing
    install_by_uv || {
        "$venv_python" -m pip install --disable-pip-version-check --no-input --progress-bar off \
            ${LOCKED:+--require-hashes} -r "${LOCKED:+deploy/locks/}$requirements" &&
            rm .venv/.installing
    } | show_progress
    [ ! -f .venv/.installing ] || install_failed
    wanted requirements.txt >.venv/.installed-requirements.txt
    printf '%s\n' "$text" >".venv/.installed-$requirements"
    say "Installed."
}

# An editable install: the command runs the code of this checkout. It needs no network, and the app does not need it.
install_command() {
    echo $$ >.venv/.installing
    if "$venv_python" -m pip install --disable-pip-version-check --no-input --quiet --no-index --no-deps \
        --no-build-isolation --editable .; then
        package_settings >.venv/.installed-digitlab
    else
        say "Note: the command digitlab could not be installed: pip's message is above." \
            "$venv_python -m mnist_core does the same."
    fi
    rm .venv/.installing
}

install_failed() {
    : >.venv/.installing # Nobody is at it any more; the next run looks whether the packages are whole.
    case "$(uname -s) $(uname -m)" in
    "Darwin x86_64") die "Installing $requirements failed: TensorFlow has no build for Macs with an Intel processor." ;;
    esac
    die "Installing $requirements failed: pip's message is above." \
        "It needs a network connection and 3.5 GB on the disk. Run make again to go on."
}

[ -f "$requirements" ] || die "No file $requirements in $here."
refuse_beside_another
if [ -e .venv ] || [ -L .venv ]; then
    reason=$(why_unusable)
    [ -z "$reason" ] || { say "Making .venv anew: $reason."; rm -rf .venv; }
    rm -f .venv/.installing
fi
if [ -d .venv ]; then mention_other_python; else make_venv; fi
[ -f .venv/.home ] || say "$here" >.venv/.home
[ "$(wanted "$requirements")" = "$(cat ".venv/.installed-$requirements" 2>/dev/null)" ] || install
[ "$(package_settings)" = "$(cat .venv/.installed-digitlab 2>/dev/null)" ] && [ -e .venv/bin/digitlab ] || install_command
