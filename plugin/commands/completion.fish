# fish completion for peavey: made by `peavey completion fish`.
function __peavey_complete
    set -l words (commandline --cut-at-cursor --tokenize --current-process) (commandline --cut-at-cursor --current-token)
    set -l found ($words[1] completion candidates -- $words 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline --cut-at-cursor --current-token)
    end
end
complete --command peavey --no-files --arguments '(__peavey_complete)'
