# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_apiclient_global_optspecs
    string join \n s/socket-path= log-level= v/verbose root= u/uri= m/method= d/data= h/help V/version
end

function __fish_apiclient_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_apiclient_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_apiclient_using_subcommand
    set -l cmd (__fish_apiclient_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c apiclient -n "__fish_apiclient_needs_command" -s s -l socket-path -d 'Where the server listens [default: /run/api.sock]' -r -F
complete -c apiclient -n "__fish_apiclient_needs_command" -l log-level -d 'How much to narrate: off, error, warn, info, debug, trace' -r
complete -c apiclient -n "__fish_apiclient_needs_command" -l root -d 'The directory that holds the whole host' -r -F
complete -c apiclient -n "__fish_apiclient_needs_command" -s u -l uri -d 'What to ask for, such as /settings' -r
complete -c apiclient -n "__fish_apiclient_needs_command" -s m -l method -d 'How to ask' -r
complete -c apiclient -n "__fish_apiclient_needs_command" -s d -l data -d 'The body to send' -r
complete -c apiclient -n "__fish_apiclient_needs_command" -s v -l verbose -d 'Narrate how things are done'
complete -c apiclient -n "__fish_apiclient_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apiclient -n "__fish_apiclient_needs_command" -s V -l version -d 'Print version'
complete -c apiclient -n "__fish_apiclient_needs_command" -f -a "raw" -d 'Send one request and print the answer as it is'
complete -c apiclient -n "__fish_apiclient_needs_command" -f -a "get" -d 'Print settings and what the host says of itself'
complete -c apiclient -n "__fish_apiclient_needs_command" -f -a "set" -d 'Change settings: all of them, or none when one is wrong'
complete -c apiclient -n "__fish_apiclient_needs_command" -f -a "unset" -d 'Take settings away: all of them, or none when one is wrong'
complete -c apiclient -n "__fish_apiclient_needs_command" -f -a "apply" -d 'Change settings to those of files or addresses: all of them, or none when one is wrong'
complete -c apiclient -n "__fish_apiclient_needs_command" -f -a "update" -d 'Look for, install, or take back an update'
complete -c apiclient -n "__fish_apiclient_needs_command" -f -a "reboot" -d 'Reboot the host'
complete -c apiclient -n "__fish_apiclient_needs_command" -f -a "exec" -d 'Run a command in a host container'
complete -c apiclient -n "__fish_apiclient_needs_command" -f -a "enable-admin-container" -d 'Let the admin container run, now and after each boot'
complete -c apiclient -n "__fish_apiclient_needs_command" -f -a "disable-admin-container" -d 'Stop the admin container, and do not start it any more'
complete -c apiclient -n "__fish_apiclient_needs_command" -f -a "enter-admin-container" -d 'Let the admin container run, and start a shell in it'
complete -c apiclient -n "__fish_apiclient_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c apiclient -n "__fish_apiclient_using_subcommand raw" -s u -l uri -d 'What to ask for, such as /settings' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand raw" -s m -l method -d 'How to ask' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand raw" -s d -l data -d 'The body to send' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand raw" -s s -l socket-path -d 'Where the server listens [default: /run/api.sock]' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand raw" -l log-level -d 'How much to narrate: off, error, warn, info, debug, trace' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand raw" -l root -d 'The directory that holds the whole host' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand raw" -s v -l verbose -d 'Narrate how things are done'
complete -c apiclient -n "__fish_apiclient_using_subcommand raw" -s h -l help -d 'Print help'
complete -c apiclient -n "__fish_apiclient_using_subcommand get" -s s -l socket-path -d 'Where the server listens [default: /run/api.sock]' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand get" -l log-level -d 'How much to narrate: off, error, warn, info, debug, trace' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand get" -l root -d 'The directory that holds the whole host' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand get" -s v -l verbose -d 'Narrate how things are done'
complete -c apiclient -n "__fish_apiclient_using_subcommand get" -s h -l help -d 'Print help'
complete -c apiclient -n "__fish_apiclient_using_subcommand set" -s j -l json -d 'The settings as one JSON object; null takes one away' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand set" -s s -l socket-path -d 'Where the server listens [default: /run/api.sock]' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand set" -l log-level -d 'How much to narrate: off, error, warn, info, debug, trace' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand set" -l root -d 'The directory that holds the whole host' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand set" -s v -l verbose -d 'Narrate how things are done'
complete -c apiclient -n "__fish_apiclient_using_subcommand set" -s h -l help -d 'Print help'
complete -c apiclient -n "__fish_apiclient_using_subcommand unset" -s s -l socket-path -d 'Where the server listens [default: /run/api.sock]' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand unset" -l log-level -d 'How much to narrate: off, error, warn, info, debug, trace' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand unset" -l root -d 'The directory that holds the whole host' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand unset" -s v -l verbose -d 'Narrate how things are done'
complete -c apiclient -n "__fish_apiclient_using_subcommand unset" -s h -l help -d 'Print help'
complete -c apiclient -n "__fish_apiclient_using_subcommand apply" -s s -l socket-path -d 'Where the server listens [default: /run/api.sock]' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand apply" -l log-level -d 'How much to narrate: off, error, warn, info, debug, trace' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand apply" -l root -d 'The directory that holds the whole host' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand apply" -s v -l verbose -d 'Narrate how things are done'
complete -c apiclient -n "__fish_apiclient_using_subcommand apply" -s h -l help -d 'Print help'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and not __fish_seen_subcommand_from check apply status cancel rollback explain history clear-failed help" -s s -l socket-path -d 'Where the server listens [default: /run/api.sock]' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and not __fish_seen_subcommand_from check apply status cancel rollback explain history clear-failed help" -l log-level -d 'How much to narrate: off, error, warn, info, debug, trace' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and not __fish_seen_subcommand_from check apply status cancel rollback explain history clear-failed help" -l root -d 'The directory that holds the whole host' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and not __fish_seen_subcommand_from check apply status cancel rollback explain history clear-failed help" -s v -l verbose -d 'Narrate how things are done'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and not __fish_seen_subcommand_from check apply status cancel rollback explain history clear-failed help" -s h -l help -d 'Print help'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and not __fish_seen_subcommand_from check apply status cancel rollback explain history clear-failed help" -f -a "check" -d 'Look which updates there are, and print the state of updates'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and not __fish_seen_subcommand_from check apply status cancel rollback explain history clear-failed help" -f -a "apply" -d 'Install the chosen update; it starts with the next boot'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and not __fish_seen_subcommand_from check apply status cancel rollback explain history clear-failed help" -f -a "status" -d 'Print how far an update is'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and not __fish_seen_subcommand_from check apply status cancel rollback explain history clear-failed help" -f -a "cancel" -d 'Stop a running update, or take an applied one back; the next boot starts what runs now'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and not __fish_seen_subcommand_from check apply status cancel rollback explain history clear-failed help" -f -a "rollback" -d 'Return to the other partition set with the next boot'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and not __fish_seen_subcommand_from check apply status cancel rollback explain history clear-failed help" -f -a "explain" -d 'Print every known version, and why it is or is not the next one'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and not __fish_seen_subcommand_from check apply status cancel rollback explain history clear-failed help" -f -a "history" -d 'Print what became of earlier updates'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and not __fish_seen_subcommand_from check apply status cancel rollback explain history clear-failed help" -f -a "clear-failed" -d 'Forget which releases failed here, so that they may be chosen again'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and not __fish_seen_subcommand_from check apply status cancel rollback explain history clear-failed help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from check" -s s -l socket-path -d 'Where the server listens [default: /run/api.sock]' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from check" -l log-level -d 'How much to narrate: off, error, warn, info, debug, trace' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from check" -l root -d 'The directory that holds the whole host' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from check" -l json -d 'Answer in JSON, also when it fails'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Narrate how things are done'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from apply" -s s -l socket-path -d 'Where the server listens [default: /run/api.sock]' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from apply" -l log-level -d 'How much to narrate: off, error, warn, info, debug, trace' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from apply" -l root -d 'The directory that holds the whole host' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from apply" -s c -l check -d 'Look for updates first, and stop when there is nothing to do'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from apply" -s r -l reboot -d 'Reboot into the update when it is applied'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from apply" -l if-in-window -d 'Do nothing outside the window of settings.updates, or while updates are held; timers say this'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from apply" -l json -d 'Answer in JSON, also when it fails'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from apply" -s v -l verbose -d 'Narrate how things are done'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from apply" -s h -l help -d 'Print help'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from status" -s s -l socket-path -d 'Where the server listens [default: /run/api.sock]' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from status" -l log-level -d 'How much to narrate: off, error, warn, info, debug, trace' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from status" -l root -d 'The directory that holds the whole host' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from status" -l json -d 'Answer in JSON, also when it fails'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from status" -s v -l verbose -d 'Narrate how things are done'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from cancel" -s s -l socket-path -d 'Where the server listens [default: /run/api.sock]' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from cancel" -l log-level -d 'How much to narrate: off, error, warn, info, debug, trace' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from cancel" -l root -d 'The directory that holds the whole host' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from cancel" -l json -d 'Answer in JSON, also when it fails'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from cancel" -s v -l verbose -d 'Narrate how things are done'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from cancel" -s h -l help -d 'Print help'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from rollback" -s s -l socket-path -d 'Where the server listens [default: /run/api.sock]' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from rollback" -l log-level -d 'How much to narrate: off, error, warn, info, debug, trace' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from rollback" -l root -d 'The directory that holds the whole host' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from rollback" -l dry-run -d 'Only print what would change'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from rollback" -l restore-snapshot -d 'Take the settings as they were when the other set ran last, instead of migrating the present ones back'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from rollback" -s y -l yes -d 'Do not ask'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from rollback" -s r -l reboot -d 'Reboot into the other set'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from rollback" -l json -d 'Answer in JSON, also when it fails'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from rollback" -s v -l verbose -d 'Narrate how things are done'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from rollback" -s h -l help -d 'Print help'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from explain" -s s -l socket-path -d 'Where the server listens [default: /run/api.sock]' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from explain" -l log-level -d 'How much to narrate: off, error, warn, info, debug, trace' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from explain" -l root -d 'The directory that holds the whole host' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from explain" -l json -d 'Answer in JSON, also when it fails'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from explain" -s v -l verbose -d 'Narrate how things are done'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from explain" -s h -l help -d 'Print help'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from history" -s s -l socket-path -d 'Where the server listens [default: /run/api.sock]' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from history" -l log-level -d 'How much to narrate: off, error, warn, info, debug, trace' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from history" -l root -d 'The directory that holds the whole host' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from history" -l json -d 'Answer in JSON, also when it fails'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from history" -s v -l verbose -d 'Narrate how things are done'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from history" -s h -l help -d 'Print help'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from clear-failed" -s s -l socket-path -d 'Where the server listens [default: /run/api.sock]' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from clear-failed" -l log-level -d 'How much to narrate: off, error, warn, info, debug, trace' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from clear-failed" -l root -d 'The directory that holds the whole host' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from clear-failed" -l json -d 'Answer in JSON, also when it fails'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from clear-failed" -s v -l verbose -d 'Narrate how things are done'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from clear-failed" -s h -l help -d 'Print help'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from help" -f -a "check" -d 'Look which updates there are, and print the state of updates'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from help" -f -a "apply" -d 'Install the chosen update; it starts with the next boot'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from help" -f -a "status" -d 'Print how far an update is'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from help" -f -a "cancel" -d 'Stop a running update, or take an applied one back; the next boot starts what runs now'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from help" -f -a "rollback" -d 'Return to the other partition set with the next boot'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from help" -f -a "explain" -d 'Print every known version, and why it is or is not the next one'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from help" -f -a "history" -d 'Print what became of earlier updates'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from help" -f -a "clear-failed" -d 'Forget which releases failed here, so that they may be chosen again'
complete -c apiclient -n "__fish_apiclient_using_subcommand update; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c apiclient -n "__fish_apiclient_using_subcommand reboot" -s s -l socket-path -d 'Where the server listens [default: /run/api.sock]' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand reboot" -l log-level -d 'How much to narrate: off, error, warn, info, debug, trace' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand reboot" -l root -d 'The directory that holds the whole host' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand reboot" -s v -l verbose -d 'Narrate how things are done'
complete -c apiclient -n "__fish_apiclient_using_subcommand reboot" -s h -l help -d 'Print help'
complete -c apiclient -n "__fish_apiclient_using_subcommand exec" -s s -l socket-path -d 'Where the server listens [default: /run/api.sock]' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand exec" -l log-level -d 'How much to narrate: off, error, warn, info, debug, trace' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand exec" -l root -d 'The directory that holds the whole host' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand exec" -s t -l tty -d 'Give the command a terminal [default: when stdin and stdout are terminals]'
complete -c apiclient -n "__fish_apiclient_using_subcommand exec" -s T -l no-tty -d 'Give the command plain input and output'
complete -c apiclient -n "__fish_apiclient_using_subcommand exec" -s v -l verbose -d 'Narrate how things are done'
complete -c apiclient -n "__fish_apiclient_using_subcommand exec" -s h -l help -d 'Print help'
complete -c apiclient -n "__fish_apiclient_using_subcommand enable-admin-container" -s s -l socket-path -d 'Where the server listens [default: /run/api.sock]' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand enable-admin-container" -l log-level -d 'How much to narrate: off, error, warn, info, debug, trace' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand enable-admin-container" -l root -d 'The directory that holds the whole host' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand enable-admin-container" -s v -l verbose -d 'Narrate how things are done'
complete -c apiclient -n "__fish_apiclient_using_subcommand enable-admin-container" -s h -l help -d 'Print help'
complete -c apiclient -n "__fish_apiclient_using_subcommand disable-admin-container" -s s -l socket-path -d 'Where the server listens [default: /run/api.sock]' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand disable-admin-container" -l log-level -d 'How much to narrate: off, error, warn, info, debug, trace' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand disable-admin-container" -l root -d 'The directory that holds the whole host' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand disable-admin-container" -s v -l verbose -d 'Narrate how things are done'
complete -c apiclient -n "__fish_apiclient_using_subcommand disable-admin-container" -s h -l help -d 'Print help'
complete -c apiclient -n "__fish_apiclient_using_subcommand enter-admin-container" -l wait -d 'How long the container may take to start; its image may have to be fetched first' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand enter-admin-container" -s s -l socket-path -d 'Where the server listens [default: /run/api.sock]' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand enter-admin-container" -l log-level -d 'How much to narrate: off, error, warn, info, debug, trace' -r
complete -c apiclient -n "__fish_apiclient_using_subcommand enter-admin-container" -l root -d 'The directory that holds the whole host' -r -F
complete -c apiclient -n "__fish_apiclient_using_subcommand enter-admin-container" -s v -l verbose -d 'Narrate how things are done'
complete -c apiclient -n "__fish_apiclient_using_subcommand enter-admin-container" -s h -l help -d 'Print help'
complete -c apiclient -n "__fish_apiclient_using_subcommand help; and not __fish_seen_subcommand_from raw get set unset apply update reboot exec enable-admin-container disable-admin-container enter-admin-container help" -f -a "raw" -d 'Send one request and print the answer as it is'
complete -c apiclient -n "__fish_apiclient_using_subcommand help; and not __fish_seen_subcommand_from raw get set unset apply update reboot exec enable-admin-container disable-admin-container enter-admin-container help" -f -a "get" -d 'Print settings and what the host says of itself'
complete -c apiclient -n "__fish_apiclient_using_subcommand help; and not __fish_seen_subcommand_from raw get set unset apply update reboot exec enable-admin-container disable-admin-container enter-admin-container help" -f -a "set" -d 'Change settings: all of them, or none when one is wrong'
complete -c apiclient -n "__fish_apiclient_using_subcommand help; and not __fish_seen_subcommand_from raw get set unset apply update reboot exec enable-admin-container disable-admin-container enter-admin-container help" -f -a "unset" -d 'Take settings away: all of them, or none when one is wrong'
complete -c apiclient -n "__fish_apiclient_using_subcommand help; and not __fish_seen_subcommand_from raw get set unset apply update reboot exec enable-admin-container disable-admin-container enter-admin-container help" -f -a "apply" -d 'Change settings to those of files or addresses: all of them, or none when one is wrong'
complete -c apiclient -n "__fish_apiclient_using_subcommand help; and not __fish_seen_subcommand_from raw get set unset apply update reboot exec enable-admin-container disable-admin-container enter-admin-container help" -f -a "update" -d 'Look for, install, or take back an update'
complete -c apiclient -n "__fish_apiclient_using_subcommand help; and not __fish_seen_subcommand_from raw get set unset apply update reboot exec enable-admin-container disable-admin-container enter-admin-container help" -f -a "reboot" -d 'Reboot the host'
complete -c apiclient -n "__fish_apiclient_using_subcommand help; and not __fish_seen_subcommand_from raw get set unset apply update reboot exec enable-admin-container disable-admin-container enter-admin-container help" -f -a "exec" -d 'Run a command in a host container'
complete -c apiclient -n "__fish_apiclient_using_subcommand help; and not __fish_seen_subcommand_from raw get set unset apply update reboot exec enable-admin-container disable-admin-container enter-admin-container help" -f -a "enable-admin-container" -d 'Let the admin container run, now and after each boot'
complete -c apiclient -n "__fish_apiclient_using_subcommand help; and not __fish_seen_subcommand_from raw get set unset apply update reboot exec enable-admin-container disable-admin-container enter-admin-container help" -f -a "disable-admin-container" -d 'Stop the admin container, and do not start it any more'
complete -c apiclient -n "__fish_apiclient_using_subcommand help; and not __fish_seen_subcommand_from raw get set unset apply update reboot exec enable-admin-container disable-admin-container enter-admin-container help" -f -a "enter-admin-container" -d 'Let the admin container run, and start a shell in it'
complete -c apiclient -n "__fish_apiclient_using_subcommand help; and not __fish_seen_subcommand_from raw get set unset apply update reboot exec enable-admin-container disable-admin-container enter-admin-container help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c apiclient -n "__fish_apiclient_using_subcommand help; and __fish_seen_subcommand_from update" -f -a "check" -d 'Look which updates there are, and print the state of updates'
complete -c apiclient -n "__fish_apiclient_using_subcommand help; and __fish_seen_subcommand_from update" -f -a "apply" -d 'Install the chosen update; it starts with the next boot'
complete -c apiclient -n "__fish_apiclient_using_subcommand help; and __fish_seen_subcommand_from update" -f -a "status" -d 'Print how far an update is'
complete -c apiclient -n "__fish_apiclient_using_subcommand help; and __fish_seen_subcommand_from update" -f -a "cancel" -d 'Stop a running update, or take an applied one back; the next boot starts what runs now'
complete -c apiclient -n "__fish_apiclient_using_subcommand help; and __fish_seen_subcommand_from update" -f -a "rollback" -d 'Return to the other partition set with the next boot'
complete -c apiclient -n "__fish_apiclient_using_subcommand help; and __fish_seen_subcommand_from update" -f -a "explain" -d 'Print every known version, and why it is or is not the next one'
complete -c apiclient -n "__fish_apiclient_using_subcommand help; and __fish_seen_subcommand_from update" -f -a "history" -d 'Print what became of earlier updates'
complete -c apiclient -n "__fish_apiclient_using_subcommand help; and __fish_seen_subcommand_from update" -f -a "clear-failed" -d 'Forget which releases failed here, so that they may be chosen again'
