# bash completion for baton(1): the words come from the program itself.
_baton() {
    local words=("${COMP_WORDS[@]:1:COMP_CWORD}")
    mapfile -t COMPREPLY < <(baton complete "${words[@]/#/:}" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -gt 0 ]] || compopt -o default
}
complete -F _baton baton
