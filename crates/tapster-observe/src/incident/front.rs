//! What goes wrong in the front: its process, upstreams, certificates.

use super::incidents;

incidents! {
    FRONT_DIED = 501 Error "front-died" {
        happened: "The front, the process that takes the clients, ended although nobody told it to. Another is started.",
        costs: "All open connections are lost. New clients wait in the listen queue until the next front is there, at once the first time.",
        remedy: "Signal 9: `dmesg` for the OOM killer; lower `--cache`. Signal 11 or 6: please report it. An exit status: the line above has the reason.",
    }
    FRONT_FAILED = 502 Error "front-failed" {
        happened: "The front cannot run: its settings cannot be used here, or the system refuses what it needs.",
        costs: "No client is served until it can.",
        remedy: "The message has the reason.",
    }
    FRONT_KILLED = 503 Warning "front-killed" {
        happened: "The front did not end within its time and was killed.",
        costs: "Connections that were still open are cut.",
        remedy: "`--graceful-timeout` gives more time.",
    }
    UPSTREAM_UNAVAILABLE = 504 Warning "upstream-unavailable" {
        happened: "An upstream fails again and again or does not answer its health check, and gets no requests for a while.",
        costs: "None while others of its group can answer. If it was the last one, clients get 502 or 503, or wait for `--hold`.",
        remedy: "Look at that server first: does it run, listen there, answer within the time-outs? `tapster status` shows the state of each.",
    }
    UPSTREAM_ANSWER_CUT = 505 Warning "upstream-answer-cut" {
        happened: "An upstream ended its answer in the middle, or sent what is none.",
        costs: "The client's answer ends in the middle too.",
        remedy: "The upstream crashed, was restarted, or ran into a time-out: its own log says which. What takes long needs a longer time-out of upstreams.",
    }
    ANSWERS_NOT_SPOOLED = 506 Warning "answers-not-spooled" {
        happened: "Answers of upstreams cannot be put into files for slow clients.",
        costs: "None at once. Upstreams wait for slow clients, which may take all their threads.",
        remedy: "Make room in `--temp-dir` and let the front write there, or name another directory.",
    }
    UPSTREAM_NAME_NOT_FOUND = 507 Warning "upstream-name-not-found" {
        happened: "The name of an upstream cannot be looked up.",
        costs: "None while the addresses known so far hold. Otherwise its requests get 502.",
        remedy: "`getent hosts NAME` on this host, in this container. The message has the name server's answer.",
    }
    CERTIFICATES_UNCHANGED = 511 Error "certificates-unchanged" {
        happened: "Certificates or keys were to be read, and are wrong, unreadable or do not fit each other.",
        costs: "At a reload none: those of before are served until they expire. At the start there is no TLS.",
        remedy: "The message names the file. `openssl x509 -noout -dates -subject -in FILE` shows a certificate; the key must be its own, and readable by the user that starts the server.",
    }
    CERTIFICATE_DOUBTFUL = 512 Warning "certificate-doubtful" {
        happened: "A certificate can be served and will make trouble: it expires soon, lacks its chain, or names other hosts.",
        costs: "Some clients refuse it, now or soon.",
        remedy: "Renew it, or put the intermediate certificates behind it in the same file, then `tapster reload`.",
    }
    CERTIFICATE_EXPIRED = 513 Warning "certificate-expired" {
        happened: "The certificate that `--domain` had obtained has expired. It is served until another is obtained.",
        costs: "Browsers warn, and other clients refuse.",
        remedy: "The lines after it say whether another one can be obtained and if not, why (TAP0515).",
    }
    CERTIFICATE_NOT_RENEWED = 514 Warning "certificate-not-renewed" {
        happened: "The authority did not give a new certificate. The one there is, is still good.",
        costs: "None until the date in the message.",
        remedy: "The message has the authority's reason and when it is tried again. Usually the name no longer leads here, or port 80 (or 443) is closed.",
    }
    CERTIFICATE_NOT_OBTAINED = 515 Error "certificate-not-obtained" {
        happened: "The authority gave no certificate, and there is none that is good.",
        costs: "Clients of that name cannot connect by TLS without a warning.",
        remedy: "Does the name lead to this host (`dig NAME`), from outside as well, and is port 80 or 443 open? The message has the authority's own words. Try with `--acme-staging` first: failures count against you.",
    }
    CERTIFICATE_DELAYED = 516 Warning "certificate-delayed" {
        happened: "No certificate is asked for yet, because earlier attempts failed and the authority limits them.",
        costs: "As before: what there is, is served.",
        remedy: "Correct the reason of the earlier failures (TAP0515); the time in the message is when it is tried again.",
    }
    CERTIFICATE_STORE_BROKEN = 517 Error "certificate-store-broken" {
        happened: "What is kept of certificates and accounts cannot be read, written or locked.",
        costs: "None while the certificate in use is good. It cannot be renewed.",
        remedy: "The message names the file. Look at free space and at who owns the directory (`--state-dir`); a file that is broken can be moved away and is made anew.",
    }
}
