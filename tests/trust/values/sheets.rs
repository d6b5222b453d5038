//! What a spreadsheet would run: customers choose how they are called, and the operator opens the export.

use serde_json::json;

use super::world::World;

/// Beginnings that a spreadsheet computes: of ASCII, of the full-width forms that it takes for them, and behind blanks.
const STARTS: [&str; 14] = [
    "=",
    "+",
    "-",
    "@",
    "\u{ff1d}",
    "\u{ff0b}",
    "\u{ff0d}",
    "\u{ff20}",
    " =",
    "\u{a0}=",
    "\u{3000}+",
    "'=",
    "''=",
    "' =",
];

/// Texts that are no formula, whatever they hold.
const HARMLESS: [&str; 9] = ["", "Ada", "'Ada", "O'Neil", "\"=1\"", "a=b", "a;b", "tel: +961 70", "a\n\nb"];

fn texts() -> Vec<String> {
    let rest = "1+1*cmd|' /C calc'!A0";
    let starts = STARTS.iter().map(|start| format!("{start}{rest}"));
    // In countries where a semicolon parts the cells, a comma parts none, and what is quoted by it ends nowhere.
    let parted = STARTS.iter().flat_map(|start| {
        ["Ada;", "Ada\";", "Ada\n", "Ada\r\n", "Ada\t", "Ada;;", ";", "\"Ada\";"]
            .map(|before| format!("{before}{start}{rest};"))
    });
    let controls = ["\t", "\r", "\n", "\t=1", "\r=1", "\n=1", "\r\n+1", "\t\t", "'\t", "'\n="].map(str::to_owned);
    starts.chain(parted).chain(controls).chain(HARMLESS.map(str::to_owned)).collect()
}

/// What a spreadsheet shows of a file, with this between the cells: quotes hold a cell together only where they begin it.
fn cells(file: &str, between: char) -> Vec<String> {
    let (mut cells, mut cell, mut chars) = (Vec::new(), String::new(), file.chars().peekable());
    let (mut begins, mut is_quoted) = (true, false);
    while let Some(c) = chars.next() {
        match c {
            '"' if begins => (begins, is_quoted) = (false, true),
            '"' if is_quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' if is_quoted => is_quoted = false,
            c if !is_quoted && (c == between || matches!(c, '\n' | '\r')) => {
                cells.push(std::mem::take(&mut cell));
                begins = true;
            }
            c => {
                begins = false;
                cell.push(c);
            }
        }
    }
    cells.push(cell);
    cells
}

/// Whether a spreadsheet computes the cell, by the rule of the careful: any of the four signs, in both widths, at its
/// beginning or behind blanks; and a control character there, which some leave out.
fn is_run(cell: &str) -> bool {
    let signs = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    cell.starts_with(['\t', '\r', '\n']) || cell.trim_start().starts_with(signs)
}

fn export(world: &World, name: &str) -> String {
    world.home.ok(["subscriber", "export", name]);
    std::fs::read_to_string(world.home.path(name)).unwrap()
}

#[test]
fn no_cell_of_an_export_is_computed_and_what_is_imported_again_is_what_it_was() {
    let world = World::new();
    let target = "/api/v1/external/subscribers";
    for (number, text) in texts().iter().enumerate() {
        let mut body = json!({"username": format!("user-{number}"), "service_id": 1, "note": text, "address": text});
        // The others are of one line.
        if !text.contains(char::is_control) {
            for field in ["full_name", "phone", "email"] {
                body[field] = json!(text);
            }
            if !text.is_empty() {
                body["external_id"] = json!(text);
            }
        }
        world.must("POST", target, &body);
    }
    for name in ["=1+1;=1", "+96170123456", "-1", "@a", "\u{ff1d}1", "a;=1", "a;-1"] {
        world.must("POST", target, &json!({"username": name, "service_id": 1}));
    }
    world.must("POST", "/api/services", &json!({"name": "=1+1;@SUM(1)"}));
    world.must("PUT", "/api/v1/external/subscribers/1", &json!({"service_id": 2}));
    // Below nothing: a balance is a number with a minus.
    let charge = json!({"subscriber_id": 1, "type": "charge", "amount": 50});
    world.must("POST", "/api/v1/external/transactions", &charge);

    let file = export(&world, "before.csv");
    for between in [',', ';', '\t'] {
        let run: Vec<_> = cells(&file, between).into_iter().filter(|cell| is_run(cell)).collect();
        assert!(run.is_empty(), "between {between:?}: {run:#?}");
    }
    let all = "SELECT group_concat(username || full_name || phone || address || email || note || coalesce(external_id, ''), x'00')
               FROM (SELECT * FROM subscribers ORDER BY id)";
    let kept = world.home.value::<String>("panel.db", all);
    let same = world.home.ok(["subscriber", "import", "before.csv"]);
    assert!(same.stderr.starts_with("0 new, 0 changed, "), "{same:?}");
    assert_eq!(world.home.value::<String>("panel.db", all), kept, "an import of what is there changes nothing");
    let fields = ["full_name", "phone", "address", "email", "note"];
    let empty = fields.map(|field| format!("{field} = 'gone'")).join(", ");
    world.change(&format!("UPDATE subscribers SET {empty}"));
    world.home.ok(["subscriber", "import", "before.csv"]);
    assert_eq!(world.home.value::<String>("panel.db", all), kept, "and of what is gone brings it back");
    assert_eq!(export(&world, "after.csv"), file);
}

/// The reading of a sheet that the test above goes by sees what it is for.
#[test]
fn a_formula_in_a_sheet_would_be_seen() {
    let run = |file: &str, between| cells(file, between).iter().filter(|cell| is_run(cell)).count();
    assert_eq!((run("a,=1\n", ','), run("a,\"=1\"\n", ','), run("a,\"b;=1\"\n", ',')), (1, 1, 0));
    assert_eq!((run("a,b;=1;c\n", ';'), run("a,\"b;=1;c\"\n", ';'), run("a,\"b\n=1\"", ';')), (1, 1, 1));
    assert_eq!((run("'=1,a\n", ','), run("a,'-1\n", ','), run("a,\"\t1\"\n", ','), run("a, +1", ',')), (0, 0, 1, 1));
}
