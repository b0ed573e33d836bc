//! The CGI variables that have a name of their own: the wire spells them in bytes, the WSGI room in interned strings.

/// Declares the enum, its names and the HTTP field that each `HTTP_*` variable comes from.
macro_rules! variables {
    ($($variant:ident = $name:literal $(<- $field:literal)?,)*) => {
        /// A CGI variable known by name (RFC 3875 §4.1, PEP 3333 "environ Variables", and the usual request fields).
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "each variant is its CGI name in camel case")]
        pub enum Variable { $($variant,)* }

        impl Variable {
            /// Every known variable, in the order of their numbers.
            pub const ALL: &'static [Variable] = &[$(Variable::$variant,)*];

            /// The name as CGI spells it.
            pub const fn name(self) -> &'static str {
                match self { $(Variable::$variant => $name,)* }
            }

            /// The lower-case HTTP field that this variable carries, if it is one.
            pub const fn field(self) -> Option<&'static str> {
                match self { $(Variable::$variant => variables!(@field $($field)?),)* }
            }
        }
    };
    (@field $field:literal) => { Some($field) };
    (@field) => { None };
}

variables! {
    RequestMethod = "REQUEST_METHOD",
    ScriptName = "SCRIPT_NAME",
    PathInfo = "PATH_INFO",
    QueryString = "QUERY_STRING",
    RequestUri = "REQUEST_URI",
    RawUri = "RAW_URI",
    ServerProtocol = "SERVER_PROTOCOL",
    ServerName = "SERVER_NAME",
    ServerPort = "SERVER_PORT",
    RemoteAddr = "REMOTE_ADDR",
    RemotePort = "REMOTE_PORT",
    RemoteHost = "REMOTE_HOST",
    RemoteUser = "REMOTE_USER",
    DocumentRoot = "DOCUMENT_ROOT",
    RequestScheme = "REQUEST_SCHEME",
    Https = "HTTPS",
    ContentType = "CONTENT_TYPE" <- "content-type",
    ContentLength = "CONTENT_LENGTH" <- "content-length",
    HttpHost = "HTTP_HOST" <- "host",
    HttpUserAgent = "HTTP_USER_AGENT" <- "user-agent",
    HttpAccept = "HTTP_ACCEPT" <- "accept",
    HttpAcceptEncoding = "HTTP_ACCEPT_ENCODING" <- "accept-encoding",
    HttpAcceptLanguage = "HTTP_ACCEPT_LANGUAGE" <- "accept-language",
    HttpAcceptCharset = "HTTP_ACCEPT_CHARSET" <- "accept-charset",
    HttpAuthorization = "HTTP_AUTHORIZATION" <- "authorization",
    HttpCacheControl = "HTTP_CACHE_CONTROL" <- "cache-control",
    HttpConnection = "HTTP_CONNECTION" <- "connection",
    HttpCookie = "HTTP_COOKIE" <- "cookie",
    HttpDate = "HTTP_DATE" <- "date",
    HttpDnt = "HTTP_DNT" <- "dnt",
    HttpExpect = "HTTP_EXPECT" <- "expect",
    HttpForwarded = "HTTP_FORWARDED" <- "forwarded",
    HttpIfMatch = "HTTP_IF_MATCH" <- "if-match",
    HttpIfModifiedSince = "HTTP_IF_MODIFIED_SINCE" <- "if-modified-since",
    HttpIfNoneMatch = "HTTP_IF_NONE_MATCH" <- "if-none-match",
    HttpIfRange = "HTTP_IF_RANGE" <- "if-range",
    HttpIfUnmodifiedSince = "HTTP_IF_UNMODIFIED_SINCE" <- "if-unmodified-since",
    HttpOrigin = "HTTP_ORIGIN" <- "origin",
    HttpPragma = "HTTP_PRAGMA" <- "pragma",
    HttpRange = "HTTP_RANGE" <- "range",
    HttpReferer = "HTTP_REFERER" <- "referer",
    HttpSecFetchDest = "HTTP_SEC_FETCH_DEST" <- "sec-fetch-dest",
    HttpSecFetchMode = "HTTP_SEC_FETCH_MODE" <- "sec-fetch-mode",
    HttpSecFetchSite = "HTTP_SEC_FETCH_SITE" <- "sec-fetch-site",
    HttpTraceparent = "HTTP_TRACEPARENT" <- "traceparent",
    HttpTransferEncoding = "HTTP_TRANSFER_ENCODING" <- "transfer-encoding",
    HttpUpgrade = "HTTP_UPGRADE" <- "upgrade",
    HttpUpgradeInsecureRequests = "HTTP_UPGRADE_INSECURE_REQUESTS" <- "upgrade-insecure-requests",
    HttpVia = "HTTP_VIA" <- "via",
    HttpXCsrftoken = "HTTP_X_CSRFTOKEN" <- "x-csrftoken",
    HttpXForwardedFor = "HTTP_X_FORWARDED_FOR" <- "x-forwarded-for",
    HttpXForwardedHost = "HTTP_X_FORWARDED_HOST" <- "x-forwarded-host",
    HttpXForwardedPort = "HTTP_X_FORWARDED_PORT" <- "x-forwarded-port",
    HttpXForwardedProto = "HTTP_X_FORWARDED_PROTO" <- "x-forwarded-proto",
    HttpXRealIp = "HTTP_X_REAL_IP" <- "x-real-ip",
    HttpXRequestId = "HTTP_X_REQUEST_ID" <- "x-request-id",
    HttpXRequestStart = "HTTP_X_REQUEST_START" <- "x-request-start",
    HttpXRequestedWith = "HTTP_X_REQUESTED_WITH" <- "x-requested-with",
    TapsterRequestId = "tapster.request_id",
}

impl Variable {
    /// How many variables are known by name.
    pub const COUNT: usize = Self::ALL.len();

    /// The variable's number, for tables indexed by it.
    pub const fn index(self) -> usize {
        self as usize
    }
}
