//! Heads of uwsgi peers that answer as CGI programs do (RFC 3875 §6): fields, of which `Status` is one, and no status line.

/// Puts a status line before a head that has none. False if more bytes are needed to tell; those that are no head at all
/// are left as they are, to be refused.
pub(super) fn add_status_line(input: &mut Vec<u8>, limit: usize) -> bool {
    const START: &[u8] = b"HTTP/";
    let seen = input.len().min(START.len());
    if input[..seen] == START[..seen] {
        return seen == START.len();
    }
    let Some(end) = memchr::memmem::find(input, b"\r\n\r\n") else { return input.len() > limit };
    let mut status: Option<Vec<u8>> = None;
    let (mut fields, mut has_location) = (Vec::with_capacity(end), false);
    for line in input[..end].split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
        if name.eq_ignore_ascii_case(b"status") && status.is_none() {
            status = Some(line.get(name.len() + 1..).unwrap_or_default().trim_ascii().to_vec());
            continue;
        }
        has_location |= name.eq_ignore_ascii_case(b"location");
        fields.extend_from_slice(line);
        fields.extend_from_slice(b"\r\n");
    }
    let default: &[u8] = if has_location { b"302 Found" } else { b"200 OK" };
    let mut head = b"HTTP/1.1 ".to_vec();
    head.extend_from_slice(status.as_deref().unwrap_or(default));
    head.extend_from_slice(b"\r\n");
    head.extend_from_slice(&fields);
    head.extend_from_slice(b"\r\n");
    input.splice(..end + 4, head);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(text: &str) -> Option<String> {
        let mut input = text.as_bytes().to_vec();
        add_status_line(&mut input, 1024).then(|| String::from_utf8(input).unwrap())
    }

    #[test]
    fn a_status_line_is_left_alone() {
        assert_eq!(changed("HTTP/1.1 204 No Content\r\n").as_deref(), Some("HTTP/1.1 204 No Content\r\n"));
        assert_eq!(changed("HTT"), None);
        assert_eq!(changed(""), None);
    }

    #[test]
    fn fields_alone_get_one() {
        let all = |text| changed(text).unwrap();
        assert_eq!(all("Status: 404 Gone\r\nA: b\r\n\r\nbody"), "HTTP/1.1 404 Gone\r\nA: b\r\n\r\nbody");
        assert_eq!(all("Location: /x\r\n\r\n"), "HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n");
        assert_eq!(all("A: b\r\n\r\n"), "HTTP/1.1 200 OK\r\nA: b\r\n\r\n");
        assert_eq!(changed("A: b\r\n"), None);
    }
}
