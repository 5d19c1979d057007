# bash completion for peavey: made by `peavey completion bash`.
_peavey() {
    local words line current before
    read -ra words <<< "${COMP_LINE:0:COMP_POINT}"
    [[ ${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]] && words+=("")
    current=${words[-1]}
    # What bash holds for the word to be completed begins behind the last = or : of it.
    before=${current%"${current##*[=:]}"}
    COMPREPLY=()
    while IFS=$'\t' read -r line _; do
        COMPREPLY+=("${line#"$before"}")
    done < <("${words[0]}" completion candidates -- "${words[@]}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -gt 0 && ${COMPREPLY[0]} == *[=.] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o default -F _peavey peavey
