//! Rust as tokens: enough to tell a use of a word from its mention in a comment or a text. Not a parser, and never wrong about
//! where a comment or a text ends.

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Counted from 1.
    pub line: usize,
    /// Whether it is part of an item under `#[cfg(test)]`.
    pub test: bool,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name, keyword or number.
    Word(String),
    /// A text's content, escapes as written.
    Text(String),
    /// An outer doc comment's line, without the slashes.
    Doc(String),
    /// Any other character.
    Mark(char),
}

impl Token {
    /// Whether this is that name or keyword.
    pub fn is(&self, word: &str) -> bool {
        matches!(&self.kind, Kind::Word(w) if w == word)
    }

    /// Whether this is that character.
    pub fn mark(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }

    /// The name, when it is one.
    pub fn word(&self) -> Option<&str> {
        if let Kind::Word(word) = &self.kind { Some(word) } else { None }
    }

    /// The text's content, when it is one.
    pub fn text(&self) -> Option<&str> {
        if let Kind::Text(text) = &self.kind { Some(text) } else { None }
    }
}

/// The tokens of a source file.
pub fn lex(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { chars: source.chars().collect(), at: 0, line: 1, out: Vec::new() };
    while lexer.at < lexer.chars.len() {
        lexer.step();
    }
    mark_tests(&mut lexer.out);
    lexer.out
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
    out: Vec<Token>,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn take(&mut self) -> char {
        let c = self.peek(0);
        self.line += usize::from(c == '\n');
        self.at += 1;
        c
    }

    fn push(&mut self, kind: Kind, line: usize) {
        self.out.push(Token { kind, line, test: false });
    }

    fn step(&mut self) {
        let line = self.line;
        match self.peek(0) {
            c if c.is_whitespace() => {
                self.take();
            }
            '/' if self.peek(1) == '/' => self.line_comment(line),
            '/' if self.peek(1) == '*' => self.block_comment(),
            '"' => self.text(line),
            '\'' => self.quote(),
            c if c.is_alphanumeric() || c == '_' => self.word(line),
            _ => {
                let c = self.take();
                self.push(Kind::Mark(c), line);
            }
        }
    }

    fn line_comment(&mut self, line: usize) {
        let mut text = String::new();
        while self.at < self.chars.len() && self.peek(0) != '\n' {
            text.push(self.take());
        }
        if let Some(doc) = text.strip_prefix("///").filter(|doc| !doc.starts_with('/')) {
            self.push(Kind::Doc(doc.trim().to_owned()), line);
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.chars.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => {
                    depth += 1;
                    self.take();
                }
                ('*', '/') => {
                    depth -= 1;
                    self.take();
                }
                _ => {}
            }
            self.take();
            if depth == 0 {
                return;
            }
        }
    }

    fn text(&mut self, line: usize) {
        let mut text = String::new();
        self.take();
        while self.at < self.chars.len() {
            match self.take() {
                '"' => break,
                '\\' => {
                    text.push('\\');
                    text.push(self.take());
                }
                c => text.push(c),
            }
        }
        self.push(Kind::Text(text), line);
    }

    /// After `r`: `#`s, then a raw text or a raw name.
    fn raw(&mut self, line: usize) {
        let mut hashes = 0;
        while self.peek(hashes) == '#' {
            hashes += 1;
        }
        if self.peek(hashes) != '"' {
            self.take(); // the # of a raw name, whose word follows
            return;
        }
        self.at += hashes + 1;
        let mut text = String::new();
        while self.at < self.chars.len() {
            let c = self.take();
            if c == '"' && (0..hashes).all(|i| self.peek(i) == '#') {
                self.at += hashes;
                break;
            }
            text.push(c);
        }
        self.push(Kind::Text(text), line);
    }

    /// A character, or a lifetime.
    fn quote(&mut self) {
        self.take();
        if self.peek(0) == '\\' {
            self.take();
            self.take();
            while self.at < self.chars.len() && self.take() != '\'' {}
        } else if self.peek(1) == '\'' {
            self.take();
            self.take();
        } else {
            while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
                self.take();
            }
        }
    }

    fn word(&mut self, line: usize) {
        let mut word = String::new();
        while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
            word.push(self.take());
        }
        match (word.as_str(), self.peek(0)) {
            ("r" | "br" | "cr", '"' | '#') => self.raw(line),
            ("b" | "c", '"') => self.text(line),
            ("b", '\'') => self.quote(),
            _ => self.push(Kind::Word(word), line),
        }
    }
}

/// Marks what stands under `#[cfg(test)]`.
fn mark_tests(tokens: &mut [Token]) {
    let mut at = 0;
    while at < tokens.len() {
        let attribute = tokens[at..].starts_with_words(&["#", "[", "cfg", "(", "test", ")", "]"]);
        let end = if attribute { item_end(tokens, at) } else { at };
        for token in &mut tokens[at..end] {
            token.test = true;
        }
        at = end.max(at + 1);
    }
}

/// One past the item that the attribute at `start` belongs to.
fn item_end(tokens: &[Token], start: usize) -> usize {
    let mut depth = 0_i32;
    for (i, token) in tokens.iter().enumerate().skip(start) {
        match token.kind {
            Kind::Mark('{' | '(' | '[') => depth += 1,
            Kind::Mark('}' | ')' | ']') => {
                depth -= 1;
                if depth == 0 && token.mark('}') {
                    return i + 1;
                }
            }
            Kind::Mark(';') if depth == 0 => return i + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Matching runs of tokens.
pub trait Run {
    /// Whether the run begins with these names and marks (a mark is a word of one character).
    fn starts_with_words(&self, words: &[&str]) -> bool;
}

impl Run for [Token] {
    fn starts_with_words(&self, words: &[&str]) -> bool {
        self.len() >= words.len()
            && self.iter().zip(words).all(|(token, want)| match &token.kind {
                Kind::Word(word) => word == want,
                Kind::Mark(mark) => want.chars().eq([*mark]),
                Kind::Text(_) | Kind::Doc(_) => false,
            })
    }
}

/// Splits `a::b` (or `a::`, a path that goes on) into the tokens it is made of.
pub fn pattern(path: &str) -> Vec<&str> {
    let mut out = Vec::new();
    for (i, part) in path.split("::").enumerate() {
        if i > 0 {
            out.extend([":", ":"]);
        }
        if !part.is_empty() {
            out.push(part);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<String> {
        lex(source).iter().filter_map(|t| t.word().map(str::to_owned)).collect()
    }

    #[test]
    fn comments_and_texts_hold_no_words() {
        for source in [
            "// no",
            "/* no /* no */ no */",
            "\"no \\\" no\"",
            "r#\"no \" no\"#",
            "b\"no\"",
            "br##\"no\"# no\"##",
            "'n'",
            "'\\''",
            "b'n'",
            "'\\u{1f600}'",
            "'static",
        ] {
            assert_eq!(words(&format!("{source}\nyes")), ["yes"], "{source}");
        }
        assert_eq!(words("fn f<'a>(x: &'a str) -> char { 'x' }"), ["fn", "f", "x", "str", "char"]);
        assert_eq!(words("r#type r"), ["type", "r"]);
    }

    #[test]
    fn lines_are_counted_through_texts_and_comments() {
        let tokens = lex("/*\n*/ \"a\nb\" r\"\n\"\nlast");
        assert_eq!(tokens.last().map(|t| t.line), Some(5));
    }

    #[test]
    fn only_the_item_under_the_attribute_is_a_test() {
        let tokens =
            lex("fn a() {} #[cfg(test)] #[x(y)] mod tests { fn b() { c(); } } fn d() {} #[cfg(test)] use e; fn f() {}");
        let of = |test| tokens.iter().filter(|t| t.test == test).filter_map(Token::word).collect::<Vec<_>>();
        assert_eq!(of(false), ["fn", "a", "fn", "d", "fn", "f"]);
        assert!(of(true).contains(&"c") && of(true).contains(&"e"));
        assert!(lex("#[cfg(not(test))] fn a() {}").iter().all(|t| !t.test));
    }
}
