//! The WHMCS modules as WHMCS runs them: the real php (tests/cli/whmcs/whmcs.php plays WHMCS) against the real binary.

mod life;
mod links;
mod refusals;
mod strangers;
mod usage;
mod writing;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::home::{Home, finish};

/// In every password here, so that one is found wherever it went. Quotes, slashes and umlauts change on their way.
pub const STEM: &str = "s3cret";

/// One product on one server of one WHMCS.
pub struct Whmcs {
    folder: std::path::PathBuf,
    module: &'static str,
    pub params: Value,
}

/// What one function did.
#[derive(Debug)]
pub struct Called(Value);

impl Whmcs {
    /// With the modules that the binary writes out, and service 12 on server 3.
    pub fn install(home: &Home, module: &'static str, address: SocketAddr, password: &str) -> Self {
        home.ok(["integration", "whmcs", "whmcs"]);
        home.write("tables.json", json!({"tblhosting": [], "tblhostingaddons": []}).to_string());
        let params = json!({
            "serverid": 3, "serverhostname": address.ip().to_string(), "serverip": "", "serverport": address.port(),
            "serversecure": false, "serverhttpprefix": "http", "serverusername": "", "serverpassword": password,
            "serveraccesshash": "", "serviceid": 12, "userid": 7, "accountid": 12, "pid": 2, "domain": "",
            "username": "ada@isp.example", "password": format!("{STEM} \"p\u{e4}/1"),
            "configoption1": "1", "configoption2": "", "configoption3": "",
            "clientsdetails": {
                "firstname": "Ada", "lastname": "O&#039;Hara", "companyname": "Hara &amp; Co", "email": "ada@example.com",
                "address1": "1 Main Street", "address2": "", "city": "Beirut", "state": "", "postcode": "1100",
                "country": "LB", "phonenumber": "70123456", "phonenumberformatted": "+961.70123456",
            },
        });
        Self { folder: home.folder().to_owned(), module, params }
    }

    /// The same with other params; a dot leads into an object.
    pub fn with(&self, changes: &[(&str, Value)]) -> Self {
        let mut params = self.params.clone();
        for (name, value) in changes {
            let place = params.pointer_mut(&format!("/{}", name.replace('.', "/")));
            match place {
                Some(place) => *place = value.clone(),
                None => params[*name] = value.clone(),
            }
        }
        Self { folder: self.folder.clone(), module: self.module, params }
    }

    /// Puts rows into a table of WHMCS.
    pub fn table(&self, name: &str, rows: &Value) {
        let mut tables = self.tables();
        tables[name] = rows.clone();
        std::fs::write(self.folder.join("tables.json"), tables.to_string()).unwrap();
    }

    pub fn tables(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.folder.join("tables.json")).unwrap()).unwrap()
    }

    #[track_caller]
    pub fn call(&self, function: &str) -> Called {
        self.call_from(function, false)
    }

    /// As a client does it, in the client area.
    #[track_caller]
    pub fn call_as_client(&self, function: &str) -> Called {
        self.call_from(function, true)
    }

    #[track_caller]
    fn call_from(&self, function: &str, clientarea: bool) -> Called {
        let asked = json!({
            "module": self.module, "function": function, "params": self.params, "clientarea": clientarea
        });
        let ran = finish(self.php(&["whmcs.php", "whmcs", "tables.json"]), &asked.to_string());
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
        let called = Called(ran.json());
        assert_eq!(called.0["printed"], "", "{called:?}");
        called.keeps_secrets(&[self.param("serverpassword"), self.param("serverusername"), STEM]);
        called
    }

    fn param(&self, name: &str) -> &str {
        self.params[name].as_str().unwrap_or_default()
    }

    /// A script of the folder beside this file.
    pub fn php(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("php");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/whmcs").join(arguments[0]);
        command.arg(script).args(&arguments[1..]).current_dir(&self.folder);
        // Whoever runs the tests may have a proxy; it does not know our ports.
        for name in ["http_proxy", "https_proxy", "all_proxy", "ALL_PROXY", "HTTPS_PROXY"] {
            command.env_remove(name);
        }
        command
    }
}

impl Called {
    pub fn result(&self) -> &Value {
        &self.0["result"]
    }

    pub fn logged(&self) -> &[Value] {
        self.0["logged"].as_array().map_or(&[], Vec::as_slice)
    }

    #[track_caller]
    pub fn succeeds(&self) {
        assert_eq!(*self.result(), "success", "{self:?}");
    }

    /// Refused with a sentence that says all of this.
    #[track_caller]
    pub fn fails(&self, parts: &[&str]) {
        let text = match self.result() {
            Value::String(text) => text.clone(),
            result => {
                assert_eq!(result["success"], false, "{self:?}");
                result["error"].as_str().unwrap_or_default().to_owned()
            }
        };
        assert_ne!(text, "success", "{self:?}");
        for part in parts {
            assert!(text.contains(part), "{part:?} is not said: {text}");
        }
    }

    #[track_caller]
    pub fn connects(&self) {
        assert_eq!(*self.result(), json!({"success": true, "error": ""}), "{self:?}");
    }

    /// The lines of WHMCS's activity log.
    pub fn activity(&self) -> String {
        self.0["activity"].to_string()
    }

    /// No secret in what came back, nor in what goes to the module log before WHMCS masks anything there; and WHMCS is
    /// told what to mask.
    #[track_caller]
    fn keeps_secrets(&self, secrets: &[&str]) {
        let mut seen = self.0.clone();
        for entry in seen["logged"].as_array_mut().into_iter().flatten() {
            let replace = entry["replace"].take().to_string();
            assert!(secrets[0].is_empty() || replace.contains(secrets[0]), "WHMCS is not told the key: {self:?}");
        }
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            assert!(!seen.to_string().contains(secret), "{secret} came out: {self:?}");
        }
    }
}

/// An address at which nobody listens.
pub fn nobody() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
