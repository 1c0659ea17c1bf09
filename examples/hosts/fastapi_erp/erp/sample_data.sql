-- Nordlicht Kaffee GmbH, its customers and what they bought; all dates are relative to today.
INSERT INTO erp.customers (number, name, email, language, on_hold) VALUES
    ('C-1001', 'Kopi Nusantara', 'finance@kopi.example', 'en', false),
    ('C-1002', 'Müller & Söhne', 'buchhaltung@mueller.example', 'de', false),
    ('C-1003', 'Bean There Ltd', 'hello@beanthere.example', 'en', false),
    ('C-1005', 'Kedai Pelabuhan Tua', NULL, 'en', true);

INSERT INTO erp.orders (number, customer, state, date, currency, total) VALUES
    ('SO-301', 'C-1001', 'sent', current_date - 100, 'EUR', 1680.00),
    ('SO-309', 'C-1002', 'sent', current_date - 2, 'EUR', 472.00);

INSERT INTO erp.invoices
    (number, customer, state, date, due_date, your_reference, currency, total)
SELECT number, customer, state, current_date - ago, current_date - ago + 30, reference, currency, total
FROM (VALUES
    ('INV-1031', 'C-1001', 'sent', 95, 'PO-77', 'EUR', 1680.00),
    ('INV-1042', 'C-1001', 'sent', 50, 'PO-81', 'EUR', 1250.00),
    ('INV-1047', 'C-1001', 'sent', 45, NULL, 'USD', 702.50),
    ('INV-1051', 'C-1001', 'sent', 8, NULL, 'EUR', 1500.00),
    ('INV-1060', 'C-1001', 'draft', 0, NULL, 'EUR', 750.00),
    ('INV-1044', 'C-1002', 'cancelled', 48, NULL, 'EUR', 3540.00),
    ('INV-1045', 'C-1002', 'sent', 46, NULL, 'EUR', 354.00),
    ('INV-1049', 'C-1003', 'sent', 30, NULL, 'USD', 917.00),
    ('INV-1061', 'C-1003', 'draft', 0, NULL, 'USD', 88.40),
    ('INV-1020', 'C-1005', 'sent', 200, NULL, 'EUR', 1998.00)
) AS given (number, customer, state, ago, reference, currency, total);

INSERT INTO erp.credit_notes (number, customer, state, date, your_reference, currency, total) VALUES
    ('CN-17', 'C-1001', 'sent', current_date - 40, 'PO-81', 'EUR', 125.00);

INSERT INTO erp.ledger (customer, kind, date, due_date, currency, amount, document, label)
SELECT customer, 'invoice', date, due_date, currency, total, number, number
FROM erp.invoices WHERE state <> 'draft'
UNION ALL
SELECT customer, 'credit_note', date, NULL, currency, total, number, number
FROM erp.credit_notes;

-- What was cancelled stays on the account, with its reversal on the day it was cancelled.
INSERT INTO erp.ledger (customer, kind, date, currency, amount, label) VALUES
    ('C-1001', 'payment', current_date - 70, 'EUR', 1680.00, 'BANK-201'),
    ('C-1001', 'payment', current_date - 20, 'USD', 702.50, 'BANK-213'),
    ('C-1001', 'payment', current_date - 12, 'EUR', 800.00, 'BANK-219'),
    ('C-1002', 'payment', current_date - 60, 'EUR', 236.00, 'BANK-206'),
    ('C-1002', 'credit_adjustment', current_date - 46, 'EUR', 3540.00, 'Cancels INV-1044');

INSERT INTO erp.allocations (customer, debit, credit, amount, date)
SELECT debit.customer, debit.id, credit.id, given.amount, greatest(debit.date, credit.date)
FROM (VALUES
    ('INV-1031', 'BANK-201', 1680.00),
    ('INV-1042', 'BANK-219', 800.00),
    ('INV-1042', 'CN-17', 125.00),
    ('INV-1047', 'BANK-213', 702.50),
    ('INV-1044', 'Cancels INV-1044', 3540.00)
) AS given (debit, credit, amount)
JOIN erp.ledger AS debit ON debit.label = given.debit
JOIN erp.ledger AS credit ON credit.label = given.credit;
