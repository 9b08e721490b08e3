//! Cuts a JSON array into its elements while it arrives, so that a list of any length needs the memory of one row.
//!
//! ```text
//! Start ─'['─► First ─► Element ─','─► Element … ─']'─► End
//!   └──'n'─► Null ─"ull"─────────────────────────────────►
//! ```
//!
//! It knows strings, escapes and nesting, and nothing else: whether an element is valid JSON is found out by whoever
//! reads it. A document that is broken in a way that hides where elements end never reaches `End`.

/// What ended the splitting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The document is not a list (and not `null`).
    NotAList,
    /// Between two commas is nothing, or brackets do not match.
    Syntax,
    /// Something follows after the end of the list.
    Trailing,
}

/// An element of the array.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Element<'a> {
    /// The whole text of it.
    Whole(&'a [u8]),
    /// Longer than the limit: its beginning.
    Beginning(&'a [u8]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    /// Within `null`, with that many letters seen.
    Null(usize),
    /// After the opening bracket: an element or the closing bracket may follow.
    First,
    Element,
    End,
    Broken(Broken),
}

/// Splits one document.
#[derive(Debug)]
pub(crate) struct Splitter {
    state: State,
    depth: usize,
    in_string: bool,
    escaped: bool,
    element: Vec<u8>,
    too_long: bool,
    limit: usize,
}

impl Splitter {
    /// `limit` is the longest element in bytes.
    pub(crate) fn new(limit: usize) -> Self {
        let (depth, element) = (0, Vec::new());
        Self { state: State::Start, depth, in_string: false, escaped: false, element, too_long: false, limit }
    }

    /// Takes the next piece of the document and gives each element that ends within it to `each`.
    pub(crate) fn feed(&mut self, piece: &[u8], mut each: impl FnMut(Element<'_>)) -> Result<(), Broken> {
        for &byte in piece {
            self.state = self.step(byte, &mut each);
            if let State::Broken(broken) = self.state {
                return Err(broken);
            }
        }
        Ok(())
    }

    /// Whether the document has ended as it should.
    pub(crate) fn is_ended(&self) -> bool {
        self.state == State::End
    }

    /// Whether the document has proven to be a list, or `null`.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self.state, State::First | State::Element | State::End)
    }

    fn step(&mut self, byte: u8, each: &mut impl FnMut(Element<'_>)) -> State {
        match (self.state, byte) {
            (State::Broken(_), _) | (State::Start | State::First | State::End, b' ' | b'\t' | b'\r' | b'\n') => {
                self.state
            }
            (State::Start, b'[') => State::First,
            (State::Start, b'n') => State::Null(1),
            (State::Null(seen), _) if b"null"[seen] == byte => {
                if seen == 3 {
                    State::End
                } else {
                    State::Null(seen + 1)
                }
            }
            (State::Start | State::Null(_), _) => State::Broken(Broken::NotAList),
            (State::First, b']') => State::End,
            (State::First | State::Element, _) => self.within(byte, each),
            (State::End, _) => State::Broken(Broken::Trailing),
        }
    }

    fn within(&mut self, byte: u8, each: &mut impl FnMut(Element<'_>)) -> State {
        if self.in_string {
            match (self.escaped, byte) {
                (true, _) => self.escaped = false,
                (false, b'\\') => self.escaped = true,
                (false, b'"') => self.in_string = false,
                (false, _) => {}
            }
        } else {
            match (byte, self.depth) {
                (b'"', _) => self.in_string = true,
                (b'{' | b'[', _) => self.depth += 1,
                (b',', 0) => return if self.finish(each) { State::Element } else { State::Broken(Broken::Syntax) },
                (b']', 0) => return if self.finish(each) { State::End } else { State::Broken(Broken::Syntax) },
                (b'}', 0) => return State::Broken(Broken::Syntax),
                (b'}' | b']', _) => self.depth -= 1,
                _ => {}
            }
        }
        if self.element.len() < self.limit {
            self.element.push(byte);
        } else {
            self.too_long = true;
        }
        State::Element
    }

    /// Hands the element over; false if there is none.
    fn finish(&mut self, each: &mut impl FnMut(Element<'_>)) -> bool {
        if self.element.trim_ascii().is_empty() {
            return false;
        }
        each(if self.too_long { Element::Beginning(&self.element) } else { Element::Whole(&self.element) });
        self.element.clear();
        self.too_long = false;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{Broken, Element, Splitter};
    use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
    use serde_json::Value;

    /// Feeds the pieces; gives the elements and how it ended: `Ok(true)` at the end of the list.
    fn split<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, Result<bool, Broken>) {
        let mut splitter = Splitter::new(1 << 16);
        let mut elements = Vec::new();
        for piece in pieces {
            let fed = splitter.feed(piece, |element| match element {
                Element::Whole(text) => elements.push(text.trim_ascii().to_vec()),
                Element::Beginning(_) => panic!("no element is that long"),
            });
            if let Err(broken) = fed {
                return (elements, Err(broken));
            }
        }
        (elements, Ok(splitter.is_ended()))
    }

    fn check(document: &str, elements: &[&str], end: Result<bool, Broken>) {
        let expected: Vec<Vec<u8>> = elements.iter().map(|element| element.as_bytes().to_vec()).collect();
        let bytes = document.as_bytes();
        for at in 0..=bytes.len() {
            assert_eq!(split([&bytes[..at], &bytes[at..]]), (expected.clone(), end), "{document} cut at {at}");
        }
    }

    #[test]
    fn documents_are_cut_the_same_wherever_the_pieces_end() {
        check("null\n", &[], Ok(true));
        check(" [ ]", &[], Ok(true));
        check("[1,\"a\",true]", &["1", "\"a\"", "true"], Ok(true));
        check(
            r#"[{"a":"],}\"[","b":[{},[]]} , {"c":"\\"}]"#,
            &[r#"{"a":"],}\"[","b":[{},[]]}"#, r#"{"c":"\\"}"#],
            Ok(true),
        );
    }

    #[test]
    fn a_cut_document_gives_what_was_whole_and_does_not_end() {
        check("[1,2", &["1"], Ok(false));
        check(r#"[{"a":1},{"b":"]"#, &[r#"{"a":1}"#], Ok(false));
        check("nul", &[], Ok(false));
        check("", &[], Ok(false));
    }

    #[test]
    fn a_broken_document_is_told_from_a_list() {
        check("<html>", &[], Err(Broken::NotAList));
        check(r#"{"message":"x"}"#, &[], Err(Broken::NotAList));
        check("nil", &[], Err(Broken::NotAList));
        check("[1,,2]", &["1"], Err(Broken::Syntax));
        check("[1,]", &["1"], Err(Broken::Syntax));
        check("[1}", &[], Err(Broken::Syntax));
        check("[1][2]", &["1"], Err(Broken::Trailing));
        check("null{}", &[], Err(Broken::Trailing));
    }

    #[test]
    fn an_element_beyond_the_limit_is_given_by_its_beginning() {
        let mut splitter = Splitter::new(4);
        let mut seen = Vec::new();
        let fed = splitter.feed(b"[1234,\"5678\",9]", |element| seen.push(format!("{element:?}")));
        assert_eq!(fed, Ok(()));
        assert_eq!(
            seen,
            [
                format!("{:?}", Element::Whole(b"1234")),
                format!("{:?}", Element::Beginning(b"\"567")),
                format!("{:?}", Element::Whole(b"9")),
            ]
        );
        assert!(splitter.is_ended());
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            prop_oneof!["[\\[\\]{},:\"\\\\ a]{0,8}", any::<String>()].prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[\\]}\",\\\\a]{0,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_list_is_cut_into_its_elements(
            values in prop::collection::vec(json(), 0..6), pretty in any::<bool>(), size in 1_usize..9
        ) {
            let list = Value::from(values.clone());
            let text = if pretty { serde_json::to_vec_pretty(&list) } else { serde_json::to_vec(&list) }.unwrap();
            let (elements, end) = split(text.chunks(size));
            assert_eq!(end, Ok(true));
            let read: Vec<Value> = elements.iter().map(|text| serde_json::from_slice(text).unwrap()).collect();
            assert_eq!(read, values);
        }

        #[test]
        fn any_bytes_are_cut_without_a_panic_and_independently_of_the_pieces(
            bytes in prop::collection::vec(prop_oneof![
                Just(b'['), Just(b']'), Just(b'{'), Just(b'}'), Just(b'"'), Just(b'\\'), Just(b','), any::<u8>()
            ], 0..64),
            size in 1_usize..9
        ) {
            assert_eq!(split(bytes.chunks(size)), split([bytes.as_slice()]));
        }
    }
}
