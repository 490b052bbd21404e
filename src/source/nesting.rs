//! How deep messages are nested in protocol buffers in text form. The parser calls itself for each message in a message, and so a file of
//! some kilobytes could overflow its stack.
//!
//! Source: <https://protobuf.dev/reference/protobuf/textformat-spec/>.

/// The deepest nesting. In binary form, protocol buffers are read no deeper, either.
pub const MAX_DEPTH: usize = 100;

/// Whether messages and lists are nested deeper than [`MAX_DEPTH`].
pub fn is_too_deep(text: &str) -> bool {
    let mut depth = 0usize;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'<' | b'[' => depth = depth.saturating_add(1),
            b'}' | b'>' | b']' => depth = depth.saturating_sub(1),
            b'#' => {
                bytes.find(|&byte| byte == b'\n');
            }
            b'"' | b'\'' => {
                let mut is_escaped = false;
                // A string ends on its line.
                bytes.find(|&found| {
                    let is_end = !is_escaped && (found == byte || found == b'\n');
                    is_escaped = !is_escaped && found == b'\\';
                    is_end
                });
            }
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_in_messages_are_counted_and_texts_are_not() {
        let nested = |depth: usize| "a { ".repeat(depth) + &"}".repeat(depth);
        assert!(!is_too_deep(&nested(100)) && is_too_deep(&nested(101)));
        assert!(is_too_deep(&"a < b: [ ".repeat(51)));
        assert!(!is_too_deep(&nested(60).repeat(3)));
        let many = "{".repeat(200);
        for text in [format!("a: '\\'{many}'"), format!("a: \"'{many}\""), format!("# \"{many}")] {
            assert!(!is_too_deep(&text), "{text}");
        }
        for text in [format!("# a\n{many}"), format!("a: 'b\n{many}"), format!("a: '\\\\'{many}")] {
            assert!(is_too_deep(&text), "{text}");
        }
    }
}
