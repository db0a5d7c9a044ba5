DROP TABLE IF EXISTS bets, accounts, prices;
-- With room beside each row for its next version.
CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL CHECK (0 <= balance)) WITH (fillfactor = 50);
CREATE TABLE prices (selection int PRIMARY KEY, price_e4 int NOT NULL);
-- One row for each request, so that a retry finds its first answer.
CREATE TABLE bets (
    request bigint PRIMARY KEY,
    account int NOT NULL,
    selection int NOT NULL,
    stake bigint NOT NULL,
    price_e4 int NOT NULL,
    accepted boolean NOT NULL
);
INSERT INTO prices VALUES (0, 21000), (1, 21000), (2, 21000);

CREATE OR REPLACE FUNCTION place(a_request bigint, an_account int, a_selection int, a_stake bigint, seen_e4 int)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    answer boolean;
    now_e4 int;
BEGIN
    SELECT accepted INTO answer FROM bets WHERE request = a_request;
    IF FOUND THEN
        RETURN answer;
    END IF;
    SELECT price_e4 INTO now_e4 FROM prices WHERE selection = a_selection;
    answer := FOUND AND seen_e4 <= now_e4;
    IF answer THEN
        UPDATE accounts SET balance = balance - a_stake WHERE id = an_account AND a_stake <= balance;
        answer := FOUND;
    END IF;
    INSERT INTO bets VALUES (a_request, an_account, a_selection, a_stake, now_e4, answer);
    RETURN answer;
END $$;
