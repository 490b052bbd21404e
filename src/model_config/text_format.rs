//! Parses protocol buffers in text form without their definitions.
//!
//! The files that describe models also describe their training, with some hundred messages that a conversion does not
//! need. A parser that follows definitions would refuse each field that it does not know, so this one keeps what it reads as
//! a tree.
//!
//! Source: <https://protobuf.dev/reference/protobuf/textformat-spec/>.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use serde_json::{Map, Number, Value};

/// The deepest nesting of messages, so that parsing cannot overflow the stack.
const MAX_DEPTH: usize = 100;

/// A mistake in the text.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, counted from 1.
    pub line: usize,
    pub problem: String,
}

type Result<T> = std::result::Result<T, Mistake>;

/// The message that a text contains: an object with a member for each field. The values of a field that occurs more than once
/// are an array; so are those that the text writes as a list.
pub fn parse(text: &str) -> Result<Value> {
    let mut parser = Parser { text, offset: 0 };
    let message = parser.fields(None, 0)?;
    Ok(Value::Object(message))
}

struct Parser<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Parser<'a> {
    /// The fields up to the character that ends the message, or up to the end of the text.
    fn fields(&mut self, end: Option<char>, depth: usize) -> Result<Map<String, Value>> {
        if depth > MAX_DEPTH {
            return Err(self.mistake(format!("messages are nested more than {MAX_DEPTH} deep")));
        }
        let mut fields = Map::new();
        loop {
            match self.peek() {
                None if end.is_none() => return Ok(fields),
                None => return Err(self.mistake("a message is not closed before the end of the file")),
                found if found == end => {
                    self.skip();
                    return Ok(fields);
                }
                Some(',' | ';') => self.skip(),
                Some(_) => {
                    let name = self.field_name()?;
                    let has_colon = self.skip_if(':');
                    let value = self.value(&name, has_colon, depth)?;
                    add(&mut fields, name, value);
                }
            }
        }
    }

    fn field_name(&mut self) -> Result<String> {
        // An extension or the type of an `Any`: `[package.name]`.
        if self.peek() == Some('[') {
            let rest = &self.text[self.offset..];
            let end = rest.find(']').ok_or_else(|| self.mistake("a name in brackets is not closed"))?;
            let name = rest[1..end].trim().to_owned();
            self.advance(end.saturating_add(1));
            return Ok(name);
        }
        let name = self.word();
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            let found = self.peek().map_or("the end of the file".to_owned(), |c| format!("\"{c}\""));
            return Err(self.mistake(format!("expected the name of a field, and found {found}")));
        }
        Ok(name.to_owned())
    }

    fn value(&mut self, field: &str, has_colon: bool, depth: usize) -> Result<Value> {
        match self.peek() {
            Some(open @ ('{' | '<')) => {
                self.skip();
                let close = if open == '{' { '}' } else { '>' };
                self.fields(Some(close), depth.saturating_add(1)).map(Value::Object)
            }
            Some('[') if has_colon => self.list(field, depth),
            Some('"' | '\'') if has_colon => self.string(),
            _ if has_colon => self.scalar(field),
            _ => Err(self.mistake(format!("after \"{field}\", a colon or a message must follow"))),
        }
    }

    fn list(&mut self, field: &str, depth: usize) -> Result<Value> {
        if depth > MAX_DEPTH {
            return Err(self.mistake(format!("lists are nested more than {MAX_DEPTH} deep")));
        }
        self.skip();
        let mut values = vec![];
        while !self.skip_if(']') {
            if !values.is_empty() && !self.skip_if(',') {
                return Err(self.mistake(format!("the values of \"{field}\" are not separated by commas")));
            }
            values.push(self.value(field, true, depth.saturating_add(1))?);
        }
        Ok(Value::Array(values))
    }

    /// Adjacent strings are one string.
    fn string(&mut self) -> Result<Value> {
        let mut bytes = vec![];
        while let Some(quote @ ('"' | '\'')) = self.peek() {
            self.skip();
            let rest = &self.text[self.offset..];
            let mut escaped = false;
            let is_end = |c: char| {
                let ends = !escaped && (c == quote || c == '\n');
                escaped = !escaped && c == '\\';
                ends
            };
            let end = rest.find(is_end).filter(|&end| rest[end..].starts_with(quote));
            let end = end.ok_or_else(|| self.mistake("a string is not closed on its line"))?;
            let unescaped = unescape(&rest[..end]);
            bytes.extend(unescaped.ok_or_else(|| self.mistake("a string has an escape that is not known"))?);
            self.advance(end.saturating_add(quote.len_utf8()));
        }
        let text = String::from_utf8(bytes);
        text.map(Value::String).map_err(|_| self.mistake("a string is not UTF-8 text"))
    }

    /// A number, a flag, or the name of an enum's value.
    fn scalar(&mut self, field: &str) -> Result<Value> {
        let is_negative = self.skip_if('-');
        let word = self.word();
        let sign = if is_negative { "-" } else { "" };
        match word {
            "" => return Err(self.mistake(format!("\"{field}\" has no value"))),
            "true" if !is_negative => return Ok(Value::Bool(true)),
            "false" if !is_negative => return Ok(Value::Bool(false)),
            _ => {}
        }
        if !word.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return Ok(Value::String(format!("{sign}{word}")));
        }
        let number = number(sign, word);
        number.map(Value::Number).ok_or_else(|| self.mistake(format!("{sign}{word} is not a number")))
    }

    /// The letters, digits and signs of a name or a number.
    fn word(&mut self) -> &'a str {
        self.peek();
        let rest = &self.text[self.offset..];
        let mut before = ' ';
        let is_part = |c: char| {
            let is_exponents_sign = matches!(c, '+' | '-') && matches!(before, 'e' | 'E');
            before = c;
            c.is_ascii_alphanumeric() || matches!(c, '_' | '.') || is_exponents_sign
        };
        let word =
            rest.get(..rest.len().saturating_sub(rest.trim_start_matches(is_part).len())).unwrap_or_default();
        self.advance(word.len());
        word
    }

    /// The next character that is not a space or in a comment. Skips what is before it.
    fn peek(&mut self) -> Option<char> {
        loop {
            let rest = &self.text[self.offset..];
            let rest_without_space = rest.trim_start();
            self.advance(rest.len().saturating_sub(rest_without_space.len()));
            if !rest_without_space.starts_with('#') {
                return rest_without_space.chars().next();
            }
            self.advance(rest_without_space.find('\n').unwrap_or(rest_without_space.len()));
        }
    }

    /// Moves behind so many bytes of the text.
    fn advance(&mut self, bytes: usize) {
        self.offset = self.offset.saturating_add(bytes).min(self.text.len());
    }

    fn skip(&mut self) {
        let length = self.peek().map_or(0, char::len_utf8);
        self.advance(length);
    }

    fn skip_if(&mut self, c: char) -> bool {
        let is_next = self.peek() == Some(c);
        if is_next {
            self.skip();
        }
        is_next
    }

    fn mistake(&self, problem: impl Into<String>) -> Mistake {
        let line = self.text[..self.offset].matches('\n').count().saturating_add(1);
        Mistake { line, problem: problem.into() }
    }
}

fn add(fields: &mut Map<String, Value>, name: String, value: Value) {
    match fields.get_mut(&name) {
        None => {
            fields.insert(name, value);
        }
        Some(Value::Array(values)) => match value {
            Value::Array(more) => values.extend(more),
            one => values.push(one),
        },
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

fn number(sign: &str, word: &str) -> Option<Number> {
    let (digits, radix) = match word.get(..2) {
        Some("0x" | "0X") => (&word[2..], 16),
        _ if word.len() > 1 && word.starts_with('0') && word.bytes().all(|b| b.is_ascii_digit()) => {
            (&word[1..], 8)
        }
        _ => (word, 10),
    };
    if let Ok(whole) = i64::from_str_radix(&format!("{sign}{digits}"), radix) {
        return Some(whole.into());
    }
    if let Ok(whole) = u64::from_str_radix(digits, radix)
        && sign.is_empty()
    {
        return Some(whole.into());
    }
    if radix != 10 {
        return None;
    }
    let digits = digits.strip_suffix(['f', 'F']).unwrap_or(digits);
    Number::from_f64(format!("{sign}{digits}").parse().ok()?)
}

/// The bytes of a string without its quotes.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![];
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let (&escape, after) = rest.split_first()?;
        rest = after;
        match escape {
            b'n' => bytes.push(b'\n'),
            b't' => bytes.push(b'\t'),
            b'r' => bytes.push(b'\r'),
            b'\\' | b'\'' | b'"' | b'?' => bytes.push(escape),
            b'0'..=b'7' => bytes.push(digits(std::slice::from_ref(&escape), &mut rest, 8, 2)?),
            b'x' | b'X' => bytes.push(digits(&[], &mut rest, 16, 2)?),
            _ => return None,
        }
    }
    Some(bytes)
}

/// The byte that `first` and at most `more` digits of `rest` write.
fn digits(first: &[u8], rest: &mut &[u8], radix: u32, more: usize) -> Option<u8> {
    let count = rest.iter().take(more).take_while(|&&byte| char::from(byte).is_digit(radix)).count();
    let (digits, after) = rest.split_at(count);
    *rest = after;
    let text = String::from_utf8([first, digits].concat()).ok()?;
    u8::from_str_radix(&text, radix).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_become_members_and_repeated_ones_arrays() {
        let text =
            "# the model\nmodel { ssd: < num_classes: 5, aspect: 1.0; aspect: 0.5 > }\nratios: [1, 2e-1]\n";
        let expected = json!({
            "model": {"ssd": {"num_classes": 5, "aspect": [1.0, 0.5]}},
            "ratios": [1, 0.2],
        });
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn scalars_have_their_types() {
        let text = "a: true b: RELU_6 c: 'x' \"\\x41\\101\\n\" d: -0x10 e: 010 f: .5f g: -inf h: 18446744073709551615 i: 1.";
        let expected = json!({
            "a": true, "b": "RELU_6", "c": "xAA\n", "d": -16, "e": 8, "f": 0.5, "g": "-inf",
            "h": 18_446_744_073_709_551_615_u64, "i": 1.0,
        });
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn mistakes_name_their_line() {
        let mistake = |text: &str| {
            let Mistake { line, problem } = parse(text).unwrap_err();
            format!("{line}: {problem}")
        };
        assert_eq!(mistake("a: 1\nb {\n"), "3: a message is not closed before the end of the file");
        assert_eq!(mistake("a: 1\n}"), "2: expected the name of a field, and found \"}\"");
        assert_eq!(mistake("a 1"), "1: after \"a\", a colon or a message must follow");
        assert_eq!(mistake("\n\na: 'x\n'"), "3: a string is not closed on its line");
        assert_eq!(mistake("a: [1 2]"), "1: the values of \"a\" are not separated by commas");
        assert_eq!(mistake("a: 12ab"), "1: 12ab is not a number");
        assert_eq!(mistake("a:"), "1: \"a\" has no value");
        assert_eq!(mistake("a: '\\q'"), "1: a string has an escape that is not known");
        assert!(mistake(&"a {".repeat(10_000)).contains("nested"));
        assert!(mistake(&format!("a: {}", "[".repeat(10_000))).contains("nested"));
    }
}
