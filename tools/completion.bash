# Completion of the command fastgpu for bash.
# Subcommands and options are read from --help, so that they are never out of date.

_fastgpu() {
    local current=${COMP_WORDS[COMP_CWORD]} words=() word
    COMPREPLY=()
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if [[ $word == -* ]]; then break; fi
        words+=("$word")
    done
    local help
    help=$("${COMP_WORDS[0]}" "${words[@]}" --help 2>/dev/null) || return
    local options commands
    options=$(grep -oE -- '(^|[ ,[|])--?[a-z][a-z0-9-]*' <<<"$help" | tr -d ' ,[|')
    commands=$(sed -nE 's/^  ([a-z][a-z0-9-]*)  .*/\1/p' <<<"$help")
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current"
            compgen -f -- "$current")
    fi
}
complete -o filenames -F _fastgpu fastgpu
