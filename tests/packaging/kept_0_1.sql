-- The link of C-1001: https://erp.example.com/portal/9lcXYOXE70ICpRCg0RQv2Q.raA9ye1AtzPP4e7oF5NZNR8QSQPqEuiJisNXZzc_ink
PRAGMA application_id = 1650553705;
PRAGMA user_version = 3;
BEGIN TRANSACTION;
CREATE TABLE allocations (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    debit_id TEXT NOT NULL,
    credit_id TEXT NOT NULL,
    units INTEGER NOT NULL CHECK (units > 0),
    date TEXT NOT NULL,
    counted_on TEXT NOT NULL,
    UNIQUE (tenant, id),
    FOREIGN KEY (tenant, debit_id) REFERENCES entries (tenant, id),
    FOREIGN KEY (tenant, credit_id) REFERENCES entries (tenant, id)
);
CREATE TABLE audit (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    made_by TEXT,
    customer_id TEXT,
    token_id TEXT,
    cause TEXT,
    detail TEXT
);
INSERT INTO "audit" VALUES(1,'default',1736931600000000,'settings_changed','ana',NULL,NULL,NULL,'enabled: False -> True
show_statement: False -> True
allow_messages: False -> True');
INSERT INTO "audit" VALUES(2,'default',1736931600000000,'issued','ana','C-1001','9lcXYOXE70ICpRCg0RQv2Q',NULL,NULL);
INSERT INTO "audit" VALUES(3,'default',1736931600000000,'link_copied','ana','C-1001','9lcXYOXE70ICpRCg0RQv2Q',NULL,NULL);
INSERT INTO "audit" VALUES(4,'default',1736931600000000,'opened',NULL,'C-1001','9lcXYOXE70ICpRCg0RQv2Q',NULL,NULL);
INSERT INTO "audit" VALUES(5,'default',1736931600000000,'message',NULL,'C-1001','9lcXYOXE70ICpRCg0RQv2Q',NULL,NULL);
CREATE TABLE customers (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT,
    number TEXT,
    language TEXT,
    blocked INTEGER NOT NULL CHECK (blocked IN (0, 1)),
    name_key TEXT NOT NULL,
    email_key TEXT,
    number_key TEXT,
    UNIQUE (tenant, id)
);
INSERT INTO "customers" VALUES('default','C-1001','Kopi Nusantara','finance@kopi.example','1001',NULL,0,'kopi nusantara','finance@kopi.example','1001');
CREATE TABLE documents (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    number TEXT NOT NULL,
    date TEXT NOT NULL,
    currency TEXT NOT NULL,
    total INTEGER NOT NULL,
    due_date TEXT,
    net INTEGER,
    tax INTEGER,
    reference TEXT,
    order_number TEXT,
    lines TEXT NOT NULL,
    pay_url TEXT,
    number_key TEXT NOT NULL,
    reference_key TEXT,
    UNIQUE (tenant, id)
);
INSERT INTO "documents" VALUES('default','INV-1','C-1001','sales_invoice','issued','INV-1','2025-01-15','EUR',1190000,'2025-02-14',1000000,190000,'PO-77','SO-1','[["Coffee, 1 kg", "2", "50.00", "19.00", "100.00"]]',NULL,'inv-1','po-77');
CREATE TABLE entries (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    date TEXT NOT NULL,
    side INTEGER NOT NULL CHECK (side IN (0, 1)),
    kind TEXT NOT NULL,
    units INTEGER NOT NULL CHECK (units >= 0),
    open_units INTEGER NOT NULL CHECK (open_units BETWEEN 0 AND units),
    due_date TEXT,
    document_id TEXT,
    number TEXT,
    reference TEXT,
    UNIQUE (tenant, id)
);
INSERT INTO "entries" VALUES('default','INV-1','C-1001','EUR','2025-01-15',0,'invoice',1190000,1190000,'2025-02-14','INV-1','INV-1','PO-77');
CREATE TABLE mails (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    queued_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    customer_id TEXT,
    made_by TEXT,
    run TEXT NOT NULL,
    about TEXT,
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    claimed_at INTEGER,
    settled_at INTEGER,
    token_id TEXT,
    address TEXT,
    problem TEXT,
    UNIQUE (tenant, id)
);
CREATE TABLE messages (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    author TEXT NOT NULL CHECK (author IN ('customer', 'seller')),
    text TEXT NOT NULL,
    made_by TEXT,
    document_id TEXT,
    read_at INTEGER,
    idempotency_key TEXT,
    UNIQUE (tenant, id)
);
INSERT INTO "messages" VALUES('default','rOvdhYMUJF39xQm0ry80gA','C-1001',1736931600000000,'customer','Paid today, see remittance 4711.',NULL,NULL,NULL,NULL);
CREATE TABLE migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO "migrations" VALUES(1,'the first tables');
INSERT INTO "migrations" VALUES(2,'find tokens of the past');
INSERT INTO "migrations" VALUES(3,'e-mails');
CREATE TABLE notes (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    text TEXT NOT NULL,
    document_id TEXT,
    UNIQUE (tenant, id)
);
CREATE TABLE settings (
    tenant TEXT NOT NULL PRIMARY KEY,
    config TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    changed_at INTEGER,
    changed_by TEXT
) WITHOUT ROWID;
INSERT INTO "settings" VALUES('default','{"enabled": true, "token_expiry_days": 30, "show_sales_orders": false, "show_credit_notes": false, "show_statement": true, "allow_messages": true, "welcome_message": ""}',1,1736931600000000,'ana');
CREATE TABLE tokens (
    added INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    issued_by TEXT NOT NULL,
    expires_at INTEGER NOT NULL CHECK (expires_at > issued_at),
    ended_at INTEGER,
    ended_by TEXT,
    ended_as TEXT CHECK (ended_as IN ('revoked', 'replaced')),
    reason TEXT,
    replaces TEXT,
    key_fingerprint TEXT NOT NULL,
    is_latest INTEGER NOT NULL CHECK (is_latest IN (0, 1)),
    opened_at INTEGER,
    UNIQUE (tenant, id),
    CHECK ((ended_at IS NULL) = (ended_as IS NULL))
);
INSERT INTO "tokens" VALUES(1,'default','9lcXYOXE70ICpRCg0RQv2Q','C-1001',1736931600000000,'ana',1768467600000000,NULL,NULL,NULL,NULL,NULL,'3dfefe13bd945704',1,1736931600000000);
CREATE UNIQUE INDEX tokens_current ON tokens (tenant, customer_id) WHERE ended_at IS NULL;
CREATE INDEX tokens_of_customer ON tokens (tenant, customer_id);
CREATE INDEX tokens_listed ON tokens (tenant, key_fingerprint, ended_as, expires_at, id)
WHERE is_latest = 1;
CREATE UNIQUE INDEX messages_by_key ON messages (tenant, customer_id, idempotency_key)
WHERE idempotency_key IS NOT NULL;
CREATE INDEX messages_of_customer ON messages (tenant, customer_id, at, id);
CREATE INDEX messages_sent ON messages (tenant, customer_id, at) WHERE author = 'customer';
CREATE INDEX messages_inbox ON messages (tenant, at, id) WHERE author = 'customer';
CREATE INDEX messages_unread ON messages (tenant, at, id)
WHERE author = 'customer' AND read_at IS NULL;
CREATE INDEX messages_unread_of_customer ON messages (tenant, customer_id)
WHERE author = 'customer' AND read_at IS NULL;
CREATE INDEX notes_of_customer ON notes (tenant, customer_id, at, id);
CREATE INDEX audit_of_tenant ON audit (tenant);
CREATE INDEX audit_of_customer ON audit (tenant, customer_id);
CREATE INDEX audit_of_token ON audit (tenant, token_id, event)
WHERE event = 'refused' OR event = 'opened';
CREATE INDEX audit_of_staff ON audit (tenant, customer_id, event, made_by)
WHERE event = 'previewed' OR event = 'link_shown';
CREATE INDEX customers_by_name ON customers (tenant, name_key, id);
CREATE INDEX documents_listed ON documents (tenant, customer_id, kind, date, id)
WHERE status = 'issued';
CREATE INDEX entries_in_order ON entries
(tenant, customer_id, currency, date, side, id, units);
CREATE INDEX entries_open ON entries (tenant, customer_id, date, side, id)
WHERE open_units > 0;
CREATE INDEX entries_paid ON entries (tenant, customer_id, currency, date, units)
WHERE kind = 'payment';
CREATE INDEX entries_of_document ON entries (tenant, customer_id, document_id)
WHERE document_id IS NOT NULL;
CREATE INDEX allocations_of_customer ON allocations (tenant, customer_id, counted_on);
CREATE INDEX allocations_of_debit ON allocations (tenant, debit_id);
CREATE INDEX allocations_of_credit ON allocations (tenant, credit_id);
CREATE INDEX tokens_past ON tokens (tenant, ended_at, id) WHERE is_latest = 0;
CREATE UNIQUE INDEX mails_once_a_run ON mails (tenant, run, customer_id) WHERE run <> '';
CREATE INDEX mails_due ON mails (tenant, run, due_at, id) WHERE status = 'queued';
CREATE INDEX mails_claimed ON mails (tenant, claimed_at, id) WHERE status = 'sending';
CREATE INDEX mails_of_customer ON mails (tenant, customer_id, queued_at, id);
CREATE INDEX mails_of_run ON mails (tenant, run, status, queued_at, id);
CREATE INDEX mails_settled ON mails (tenant, settled_at, id) WHERE settled_at IS NOT NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('audit',5);
COMMIT;
