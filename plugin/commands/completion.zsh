#compdef peavey
# zsh completion for peavey: made by `peavey completion zsh`.
_peavey() {
    local line
    local -a found shown open opened
    for line in "${(@f)$(${words[1]} completion candidates -- "${(@)words[1,CURRENT]}" 2>/dev/null)}"; do
        [[ -z $line ]] && continue
        if [[ ${line%%$'\t'*} == *[=.] ]]; then
            open+=("${line%%$'\t'*}")
            opened+=("${line/$'\t'/  -- }")
        else
            found+=("${line%%$'\t'*}")
            shown+=("${line/$'\t'/  -- }")
        fi
    done
    if (( ! ${#found} && ! ${#open} )); then
        _files
        return
    fi
    (( ${#found} )) && compadd -l -d shown -a found
    (( ${#open} )) && compadd -S '' -l -d opened -a open
}
if [[ ${funcstack[1]} == _peavey ]]; then
    _peavey "$@"
else
    compdef _peavey peavey
fi
