#!/bin/sh
# The environment that the Makefile works in: an allowed Python, and what constraints.txt names.
#
# PYTHON, TORCH, TORCH_INDEX, VENV as in the Makefile; empty: nobody named one.  Nothing is made or removed before the
# interpreter is known to do.  $VENV/.begun says that the folder is ours; .checkout, which one it imports; .done is written last
# and holds the TORCH that was named: without it the environment is half made.
set -eu
cd "$(dirname "$0")/.."

ALLOWED="3.11 3.12 3.13"
WAY_OUT="name another, as in: make setup PYTHON=python3.12"

refuse() {
    echo "setup: $*" >&2
    exit 1
}

# version and path of an interpreter; of an environment's the one that it was made with
about() {
    "$1" -c 'import sys
print("%d.%d %s" % (sys.version_info[0], sys.version_info[1], getattr(sys, "_base_executable", None) or sys.executable))'
}

version_of() {
    said=$(about "$1" 2>/dev/null) && echo "${said%% *}"
}

is_allowed() {
    case " $ALLOWED " in *" ${1:-none} "*) ;; *) return 1 ;; esac
}

# shims of version managers are there, and do not run
first_allowed() {
    for each in $(printf 'python%s ' $ALLOWED) python3 python; do
        if is_allowed "$(version_of "$each")"; then echo "$each" && return; fi
    done
    refuse "found no Python of $ALLOWED; install one, or $WAY_OUT"
}

# on macOS what the registry has is the CPU build; for Intel there is none any more
usual_torch() {
    case "$(uname -s) $(uname -m)" in
        "Darwin x86_64") ;;
        Darwin*) echo "torch==2.13.0" ;;
        *) echo "torch==2.13.0+cpu" ;;
    esac
}

pip() {
    "$VENV/bin/python" -m pip install -q --disable-pip-version-check "$@"
}

make_anew() {
    if [ -e "$VENV" ]; then
        echo "setup: $VENV is made anew with Python $wanted: $1" >&2
        rm -rf "$VENV"
    fi
    mkdir -p "$VENV"
    touch "$VENV/.begun"
    "$base" -m venv "$VENV"
}

install() {
    echo "setup: installs $torch, then the versions of constraints.txt, into $VENV (2.6 GB and more; some minutes, prints no more)"
    # torch first: left to the other packages, pip would take another build of it
    pip "$torch" 2>/dev/null || pip "$torch" --extra-index-url "$TORCH_INDEX" ||
        refuse "$torch for Python $wanted cannot be had from the registry or $TORCH_INDEX; name another build, as in:" \
            "make setup TORCH=torch==2.13.0 (on Linux that is the CUDA build, several GB)"
    pip -c constraints.txt -e ".[test]"
    pwd >"$VENV/.checkout"
    echo "$TORCH" >"$VENV/.done"
}

there=$(version_of "$VENV/bin/python") || there=""
whole=""
if [ -e "$VENV/.done" ] && is_allowed "$there"; then whole=yes; fi

if [ -z "$PYTHON" ]; then
    if [ "$whole" ]; then PYTHON=$VENV/bin/python; else PYTHON=$(first_allowed); fi
fi
said=$(about "$PYTHON" 2>/dev/null) ||
    refuse "PYTHON=$PYTHON cannot be run ($(about "$PYTHON" 2>&1 | head -n 1)); allowed are $ALLOWED; $WAY_OUT"
wanted=${said%% *} base=${said#* }
is_allowed "$wanted" || refuse "PYTHON=$PYTHON is Python ${wanted:-of no version}; allowed are $ALLOWED; $WAY_OUT"

usual=$(usual_torch) before=""
if [ "$whole" ]; then before=$(cat "$VENV/.done"); fi
TORCH=${TORCH:-$before}
torch=${TORCH:-$usual} torch_there=${before:-$usual}
[ "$torch" ] || refuse "PyTorch is no longer built for macOS on Intel; name a build of your own, as in: make setup TORCH=torch.whl"

if [ "$whole" ] && [ "$there" = "$wanted" ] && [ "$torch" = "$torch_there" ]; then
    from=$(cat "$VENV/.checkout" 2>/dev/null) || from=""
    # of checkouts that share an environment, the one that was set up last is what it imports
    if [ "$from" != "$(pwd)" ] || [ "$(find setup.py constraints.txt -newer "$VENV/.done")" ]; then install; fi
    exit 0
fi
if [ "$VENV" != .venv ] && [ -e "$VENV" ] && [ ! -e "$VENV/.begun" ] && [ "$(ls -A "$VENV")" ]; then
    refuse "VENV=$VENV is there and was not made by this; delete it, or name another folder, as in: make setup VENV=.venv312"
fi
"$base" -c 'import ensurepip, venv' 2>/dev/null ||
    refuse "PYTHON=$PYTHON cannot make environments, it lacks venv or ensurepip; install python$wanted-venv, or $WAY_OUT"
if [ "$there" ] && [ "$there" != "$wanted" ]; then
    make_anew "it is of Python $there"
elif [ -z "$whole" ]; then
    make_anew "it is half made, or its Python is gone"
else
    make_anew "it has $torch_there, and $torch is asked for"
fi
install
