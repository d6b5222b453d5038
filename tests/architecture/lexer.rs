//! Just enough of Rust's lexer: which paths a file names, resolved from its own module, and which string literals it holds.

pub struct Name {
    pub segments: Vec<String>,
    pub line: usize,
}

impl Name {
    pub fn path(&self) -> String {
        self.segments.join("::")
    }
}

pub struct Text {
    pub value: String,
    /// Where the literal opens.
    pub line: usize,
}

enum Token {
    Word(String),
    /// `::`
    Colons,
    Sign(char),
}

/// `module` is where the file stands below the crate's root: `["http", "door"]`.
pub fn read(module: &[String], source: &str) -> (Vec<Name>, Vec<Text>) {
    let (tokens, texts) = tokens(source);
    let mut walk =
        Walk { tokens: &tokens, at: 0, module: module.to_vec(), depth: 0, inner: Vec::new(), names: Vec::new() };
    walk.file();
    (walk.names, texts)
}

struct Walk<'a> {
    tokens: &'a [(Token, usize)],
    at: usize,
    module: Vec<String>,
    depth: usize,
    /// Brace depths at which `mod name {` opened.
    inner: Vec<usize>,
    names: Vec<Name>,
}

impl Walk<'_> {
    fn peek(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead).map(|(token, _)| token)
    }

    fn file(&mut self) {
        while let Some(token) = self.peek(0) {
            match token {
                Token::Word(word) if word == "mod" => self.enter(),
                Token::Word(_) => self.path(&[]),
                Token::Sign('{') => {
                    self.depth += 1;
                    self.at += 1;
                }
                Token::Sign('}') => {
                    if self.inner.last() == Some(&self.depth) {
                        self.inner.pop();
                        self.module.pop();
                    }
                    self.depth = self.depth.saturating_sub(1);
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
    }

    /// `mod name;` and `mod name {`: a declaration names nothing, a body is one module further in.
    fn enter(&mut self) {
        if let (Some(Token::Word(name)), Some(Token::Sign('{'))) = (self.peek(1), self.peek(2)) {
            self.module.push(name.clone());
            self.depth += 1;
            self.inner.push(self.depth);
            self.at += 3;
        } else {
            self.at += 2;
        }
    }

    /// A path and, where it ends in `::{`, every branch below it.
    fn path(&mut self, stem: &[String]) {
        let mut segments = stem.to_vec();
        loop {
            let line = self.tokens.get(self.at).map_or(0, |(_, line)| *line);
            match self.peek(0) {
                Some(Token::Word(word)) => {
                    segments.push(word.clone());
                    self.at += 1;
                }
                Some(Token::Sign('*')) => {
                    segments.push("*".to_owned());
                    self.at += 1;
                    return self.keep(segments, line);
                }
                Some(Token::Sign('{')) => {
                    self.at += 1;
                    return self.group(&segments);
                }
                _ => return self.keep(segments, line),
            }
            // `a::<T>` ends here; T is read as a path of its own.
            if !matches!(self.peek(0), Some(Token::Colons)) || matches!(self.peek(1), Some(Token::Sign('<'))) {
                return self.keep(segments, line);
            }
            self.at += 1;
        }
    }

    fn group(&mut self, stem: &[String]) {
        while let Some(token) = self.peek(0) {
            match token {
                Token::Sign('}') => {
                    self.at += 1;
                    return;
                }
                Token::Word(word) if word == "as" => self.at += 2,
                Token::Word(_) | Token::Sign('*' | '{') => self.path(stem),
                _ => self.at += 1,
            }
        }
    }

    fn keep(&mut self, segments: Vec<String>, line: usize) {
        let mut up = 0;
        let mut skip = usize::from(segments.first().is_some_and(|first| first == "self"));
        while segments.get(skip).is_some_and(|segment| segment == "super") {
            up += 1;
            skip += 1;
        }
        let segments = if skip == 0 || segments.len() == 1 && up == 0 {
            segments
        } else {
            let home = self.module.iter().take(self.module.len().saturating_sub(up));
            let rest = segments.iter().skip(skip).filter(|segment| *segment != "self");
            std::iter::once(&"crate".to_owned()).chain(home).chain(rest).cloned().collect()
        };
        self.names.push(Name { segments, line });
    }
}

fn tokens(source: &str) -> (Vec<(Token, usize)>, Vec<Text>) {
    let mut scan = Scan { left: source.chars(), line: 1 };
    let (mut tokens, mut texts) = (Vec::new(), Vec::new());
    while let Some(c) = scan.next() {
        let line = scan.line;
        match c {
            '/' if scan.peek(0) == Some('/') => scan.skip_line(),
            '/' if scan.peek(0) == Some('*') => scan.skip_block(),
            '"' => texts.push(Text { value: scan.quoted(), line }),
            '\'' => scan.skip_char_or_lifetime(),
            ':' if scan.peek(0) == Some(':') => {
                scan.next();
                tokens.push((Token::Colons, line));
            }
            _ if c.is_alphabetic() || c == '_' => {
                let word = scan.word(c);
                let literal = matches!(word.as_str(), "r" | "b" | "c" | "br" | "cr");
                match scan.peek(0) {
                    Some('"') if literal && word.ends_with('r') => texts.push(Text { value: scan.raw(), line }),
                    Some('"') if literal => {
                        scan.next();
                        texts.push(Text { value: scan.quoted(), line });
                    }
                    Some('#') if literal && word.ends_with('r') && scan.opens_raw() => {
                        texts.push(Text { value: scan.raw(), line });
                    }
                    // r#type: the name follows as a word of its own.
                    Some('#') if word == "r" => {
                        scan.next();
                    }
                    _ => tokens.push((Token::Word(word), line)),
                }
            }
            _ if c.is_ascii_digit() => {
                scan.word(c);
            }
            _ if c.is_whitespace() => {}
            _ => tokens.push((Token::Sign(c), line)),
        }
    }
    (tokens, texts)
}

struct Scan<'a> {
    left: std::str::Chars<'a>,
    line: usize,
}

impl Scan<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.left.clone().nth(ahead)
    }

    fn next(&mut self) -> Option<char> {
        let c = self.left.next();
        self.line += usize::from(c == Some('\n'));
        c
    }

    fn skip_line(&mut self) {
        while self.next().is_some_and(|c| c != '\n') {}
    }

    /// Behind the `/` of `/*`; they nest.
    fn skip_block(&mut self) {
        self.next();
        let mut depth = 1;
        while depth > 0 {
            match (self.next(), self.peek(0)) {
                (None, _) => return,
                (Some('*'), Some('/')) => depth -= 1,
                (Some('/'), Some('*')) => depth += 1,
                _ => continue,
            }
            self.next();
        }
    }

    /// Behind the `'`: `'"'` and `'\''` are characters, `'a` is a lifetime whose name is no path.
    fn skip_char_or_lifetime(&mut self) {
        if self.peek(0) == Some('\\') {
            self.next();
            self.next();
            while self.next().is_some_and(|c| c != '\'') {}
        } else if self.peek(1) == Some('\'') {
            self.next();
            self.next();
        } else if let Some(c) = self.next() {
            self.word(c);
        }
    }

    fn word(&mut self, first: char) -> String {
        let mut word = String::from(first);
        while let Some(c) = self.peek(0).filter(|c| c.is_alphanumeric() || *c == '_') {
            word.push(c);
            self.next();
        }
        word
    }

    /// Behind the opening quote. Which character an escape stands for matters only where it is white space or a quote.
    fn quoted(&mut self) -> String {
        let mut value = String::new();
        while let Some(c) = self.next() {
            match c {
                '"' => break,
                '\\' => match self.next() {
                    Some('n' | 't' | 'r') => value.push(' '),
                    Some('\n') => {
                        while self.peek(0).is_some_and(char::is_whitespace) {
                            self.next();
                        }
                    }
                    Some(other) => value.push(other),
                    None => break,
                },
                _ => value.push(c),
            }
        }
        value
    }

    fn opens_raw(&self) -> bool {
        self.left.clone().find(|c| *c != '#') == Some('"')
    }

    /// At the first `#` or the quote, behind the `r`.
    fn raw(&mut self) -> String {
        let mut hashes = 0;
        while self.next() == Some('#') {
            hashes += 1;
        }
        let end = format!("\"{}", "#".repeat(hashes));
        let mut value = String::new();
        while let Some(c) = self.next() {
            value.push(c);
            if value.ends_with(&end) {
                value.truncate(value.len() - end.len());
                break;
            }
        }
        value
    }
}
