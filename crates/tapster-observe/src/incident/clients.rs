//! What goes wrong with clients and connections: refused requests, limits, descriptors that run out.

use super::incidents;

incidents! {
    REQUEST_REFUSED = 401 Warning "request-refused" {
        happened: "A client sent what is no request that may be served: broken or ambiguous HTTP, a head or body beyond a limit, a body that stopped. The message has the status and the reason.",
        costs: "That client got the status. The application was not asked.",
        remedy: "Single ones are scanners. If a client of your own is refused, the message names the option that decides (`--max-body`, `--io-timeout`, `--min-rate`, `--queue-timeout` …).",
    }
    CANNOT_ACCEPT = 402 Error "cannot-accept" {
        happened: "New connections cannot be accepted: no descriptors or memory left, or the listening socket is broken. It is tried again.",
        costs: "New clients wait in the listen queue or are answered with 503.",
        remedy: "No descriptors: raise the limit on open files (`ulimit -n`, `LimitNOFILE=`), lower `--worker-connections`, and look with `ls /proc/PID/fd` for a leak of the application.",
    }
    CONNECTION_LOST = 403 Error "connection-lost" {
        happened: "A connection, or a request that another worker had handed over, was lost inside the server.",
        costs: "That client sees a closed connection.",
        remedy: "Out of descriptors or memory: raise the limits. Otherwise report it.",
    }
    CLIENT_REFUSED = 404 Warning "client-refused" {
        happened: "A client is on a list of `--deny`, not on one of `--allow`, or beyond `--limit-requests` or `--limit-connections`. Refusals of one network and cause are told with growing pauses, with their number.",
        costs: "That client got 403, 429 or 503, or no connection.",
        remedy: "If it should come in: correct the list, raise the limit, or exempt it (`--limit-exempt`). `--limit-dry-run` only tells.",
    }
    LISTS_UNCHANGED = 405 Error "lists-unchanged" {
        happened: "A file of `--allow` or `--deny` was to be read anew and is wrong.",
        costs: "None: the lists stay as they were.",
        remedy: "Correct the line that the message names and reload.",
    }
    HTTP2_ENDED = 406 Warning "http2-ended" {
        happened: "A client of HTTP/2 sent floods of frames that carry nothing, or read nothing; its connection was ended.",
        costs: "That client's open streams are lost.",
        remedy: "Usually an attack. If it is a client of your own, its library is broken or far too slow.",
    }
}
