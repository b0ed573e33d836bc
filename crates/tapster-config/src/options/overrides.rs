//! The options of one group: what is changed of requests and answers. Each of them has a front process started.

use super::ROW;
use crate::error_page::ErrorPage;
use crate::field_rule::FieldRule;
use crate::kind::Kind;
use crate::option::{Fallback, Group, List, OptionSpec};

pub(super) static ROWS: &[OptionSpec] = &[RESPONSE, REQUEST, PAGE, INTERCEPT];

const RESPONSE: OptionSpec = OptionSpec {
    name: "response-header",
    metavar: "RULE",
    kind: Kind::Text {
        allowed: "a rule such as \"X-Frame-Options: DENY\", \"+Link: …\", \"?Cache-Control: no-store\" or \"-X-Powered-By\"",
        set: |settings, text| {
            settings.overrides.response.push(FieldRule::of_response(text)?);
            Ok(())
        },
    },
    list: List::Many,
    fallback: Fallback::Words("answers have the fields that they came with"),
    group: Group::Overrides,
    help: "Set, add or remove a field of every answer; may be given several times",
    details: "`Name: value` sets a field, whatever was there; `+Name: value` adds one more; `?Name: value` sets it where there is none; \
              `-Name` or `Name:` removes it. A value may have variables: `$host`, `$scheme`, `$client`, `$method`, `$path`, `$uri`, \
              `$request_id`; `$$` is a dollar sign. A rule holds for every answer, whoever gives it and whatever its status: of the application, of upstreams, \
              files, stored answers, redirects, refusals; not for interim ones (1xx). Fields that frame an answer (`Connection`, \
              `Content-Length`, `Transfer-Encoding` and their like) and `Date` are the server's own. What a refusal has that \
              answers no request that was understood: the rules without variables.",
    ..ROW
};

const REQUEST: OptionSpec = OptionSpec {
    name: "request-header",
    metavar: "RULE",
    kind: Kind::Text {
        allowed: "a rule such as \"X-Real-IP: $client\" or \"-Cookie\"",
        set: |settings, text| {
            settings.overrides.request.push(FieldRule::of_request(text)?);
            Ok(())
        },
    },
    list: List::Many,
    fallback: Fallback::Words("the application gets the fields that the client sent"),
    group: Group::Overrides,
    help: "Set, add or remove a field of requests before the application or an upstream gets them; may be given several times",
    details: "Rules are written as for `--response-header`. `Host`, what frames a request, and the fields that say who the client is \
              (`X-Forwarded-*`, `Forwarded`, `Via`) are the server's own; `X-Real-IP: $client` is the client as `--forwarded-allow-ips` has it. \
              With a cache the rules are applied when somebody is asked: keep what differs by client out of answers that are stored.",
    ..ROW
};

const PAGE: OptionSpec = OptionSpec {
    name: "error-page",
    metavar: "STATUSES=FILE",
    kind: Kind::Text {
        allowed: "statuses, = and a file, such as 502,504=./errors/down.html or 5xx=./errors/any.html",
        set: |settings, text| {
            settings.overrides.pages.push(ErrorPage::parse(text)?);
            Ok(())
        },
    },
    list: List::Many,
    fallback: Fallback::Words("a line of plain text"),
    group: Group::Overrides,
    help: "The page for errors that the front answers with by itself; may be given several times",
    details: "Statuses from 400 to 599 with commas between them, `4xx` or `5xx`; a status is stronger than a class. The file is read when the server \
              starts and at HUP, and kept in memory: 1 MiB at most. The status stays what it is. A client whose `Accept` names JSON and not \
              `text/html` gets a page in a `.json` file, or the line of plain text. Errors that the application answers with have its own pages, unless `--intercept-errors` \
              says otherwise.",
    ..ROW
};

const INTERCEPT: OptionSpec = OptionSpec {
    name: "intercept-errors",
    metavar: "[on|off]",
    kind: Kind::Flag(|settings, on| settings.overrides.intercept = Some(on)),
    fallback: Fallback::Value("off"),
    group: Group::Overrides,
    help: "Put the pages of --error-page in the place of errors of the application and of upstreams too",
    details: "Of such an answer the status stays, and the fields that do not describe its body: Set-Cookie, WWW-Authenticate, Retry-After.",
    ..ROW
};
