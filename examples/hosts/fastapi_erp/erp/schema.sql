-- What the ERP keeps, in a schema of its own; the portal's tables are in another one.
-- Numbers are compared by code points, whatever the language of the database is.
CREATE SCHEMA erp;

CREATE TABLE erp.users (
    name text PRIMARY KEY,
    password_hash text NOT NULL,
    may_change boolean NOT NULL
);

CREATE TABLE erp.customers (
    number text COLLATE "C" PRIMARY KEY,
    name text NOT NULL,
    email text,
    language text NOT NULL DEFAULT 'en',
    on_hold boolean NOT NULL DEFAULT false
);

CREATE TABLE erp.orders (
    number text COLLATE "C" PRIMARY KEY CHECK (number LIKE 'SO-%'),
    customer text COLLATE "C" NOT NULL REFERENCES erp.customers,
    state text NOT NULL CHECK (state IN ('draft', 'sent', 'cancelled')),
    date date NOT NULL,
    your_reference text,
    currency char(3) NOT NULL,
    total numeric(14, 2) NOT NULL
);

CREATE TABLE erp.invoices (
    number text COLLATE "C" PRIMARY KEY CHECK (number LIKE 'INV-%'),
    customer text COLLATE "C" NOT NULL REFERENCES erp.customers,
    state text NOT NULL CHECK (state IN ('draft', 'sent', 'cancelled')),
    date date NOT NULL,
    due_date date NOT NULL,
    your_reference text,
    currency char(3) NOT NULL,
    total numeric(14, 2) NOT NULL
);

CREATE TABLE erp.credit_notes (
    number text COLLATE "C" PRIMARY KEY CHECK (number LIKE 'CN-%'),
    customer text COLLATE "C" NOT NULL REFERENCES erp.customers,
    state text NOT NULL CHECK (state IN ('draft', 'sent', 'cancelled')),
    date date NOT NULL,
    your_reference text,
    currency char(3) NOT NULL,
    total numeric(14, 2) NOT NULL
);

-- The customers' accounts: what was invoiced, credited, paid. The kind says which side.
CREATE TABLE erp.ledger (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer text COLLATE "C" NOT NULL REFERENCES erp.customers,
    kind text NOT NULL CHECK (kind IN ('invoice', 'credit_note', 'payment', 'credit_adjustment')),
    date date NOT NULL,
    due_date date,
    currency char(3) NOT NULL,
    amount numeric(14, 2) NOT NULL CHECK (amount >= 0),
    document text COLLATE "C" UNIQUE,
    label text NOT NULL UNIQUE
);

-- The part of a credit that settles part of a debit, from a day on.
CREATE TABLE erp.allocations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer text COLLATE "C" NOT NULL REFERENCES erp.customers,
    debit bigint NOT NULL REFERENCES erp.ledger,
    credit bigint NOT NULL REFERENCES erp.ledger,
    amount numeric(14, 2) NOT NULL CHECK (amount > 0),
    date date NOT NULL
);

CREATE INDEX ON erp.orders (customer, date, number);
CREATE INDEX ON erp.invoices (customer, date, number);
CREATE INDEX ON erp.credit_notes (customer, date, number);
CREATE INDEX ON erp.ledger (customer, date);
CREATE INDEX ON erp.allocations (customer);

-- Three tables as one. A query for one customer and one kind reads one of them, by its index.
CREATE VIEW erp.documents AS
SELECT number, customer, 'invoice' AS kind, state, date, due_date, your_reference, currency, total
FROM erp.invoices
UNION ALL
SELECT number, customer, 'order', state, date, NULL, your_reference, currency, total
FROM erp.orders
UNION ALL
SELECT number, customer, 'credit note', state, date, NULL, your_reference, currency, total
FROM erp.credit_notes;
