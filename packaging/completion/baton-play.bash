# bash completion for baton-play(1): its options come from its own help; a desk is a file.
_baton_play() {
    local word=${COMP_WORDS[COMP_CWORD]} before
    for before in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ $before != -- ]] || return # behind it is the desk's, not this PC's
    done
    [[ $word != -* ]] || mapfile -t COMPREPLY < <(compgen -W "$(baton-play --help 2>/dev/null | grep -o -- '--[a-z][a-z-]*')" -- "$word")
}
complete -o default -F _baton_play baton-play
