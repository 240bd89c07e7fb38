# Completion of the command fastgpu for bash.
# Subcommands and options are read from --help, so that they are never out of date. File names are
# offered only where a command takes files.

# What the help calls the value of option $1 ("N", "DIR"); "" where it takes none.
_fastgpu_value() {
    sed -nE "s/^ +(-[A-Za-z], )?$1 ([A-Z]+)  .*/\2/p; s/^ +$1, --[a-z-]+ ([A-Z]+)  .*/\1/p"
}

_fastgpu() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local words=() word help options commands value=''
    COMPREPLY=()
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if [[ $word == -* ]]; then break; fi
        words+=("$word")
    done
    help=$("${COMP_WORDS[0]}" "${words[@]}" --help 2>/dev/null) || return 0
    if [[ $previous == -* ]]; then
        value=$(_fastgpu_value "$previous" <<<"$help")
    fi
    commands=$(sed -nE 's/^  ([a-z][a-z0-9-]*)  .*/\1/p' <<<"$help")
    if [[ $value == DIR ]]; then
        compopt -o filenames 2>/dev/null || true
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
    elif [[ $value == FILE ]]; then
        compopt -o filenames 2>/dev/null || true
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    elif [[ -n $value ]]; then
        return
    elif [[ $current == -* ]]; then
        options=$(grep -oE -- '^ +(-[A-Za-z], )? *--[a-z][a-z0-9-]*' <<<"$help" | tr ',' ' ')
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    elif [[ -n $commands && ${help%%$'\n'*} != *PHOTO* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
    elif [[ ${help%%$'\n'*} == 'usage: '*@(PHOTO|WORKLOAD|FILE)* ]]; then
        compopt -o filenames 2>/dev/null || true
        mapfile -t COMPREPLY < <(compgen -f -W "$commands" -- "$current")
    fi
}
complete -F _fastgpu fastgpu
