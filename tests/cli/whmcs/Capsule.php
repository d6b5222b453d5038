<?php

/**
 * As much of WHMCS's query builder as the modules use, over tables in a JSON file.
 */

declare(strict_types=1);

namespace WHMCS\Database;

final class Capsule
{
    private static array $tables = [];

    private string $table;
    private array $conditions = [];
    private ?string $order = null;

    private function __construct(string $table)
    {
        if (!isset(self::$tables[$table])) {
            throw new \Exception("no table $table");
        }
        $this->table = $table;
    }

    public static function load(string $file): void
    {
        self::$tables = json_decode(file_get_contents($file), true, 512, JSON_THROW_ON_ERROR);
    }

    public static function save(string $file): void
    {
        file_put_contents($file, json_encode(self::$tables, JSON_THROW_ON_ERROR));
    }

    public static function table(string $table): self
    {
        return new self($table);
    }

    public function where(string $column, $value): self
    {
        return $this->whereIn($column, [$value]);
    }

    public function whereIn(string $column, array $values): self
    {
        $this->conditions[$column] = $values;
        return $this;
    }

    public function orderBy(string $column): self
    {
        $this->order = $column;
        return $this;
    }

    public function get(array $columns): array
    {
        $rows = $this->rows();
        if ($this->order !== null) {
            usort($rows, fn (array $one, array $other): int => $one[$this->order] <=> $other[$this->order]);
        }
        return array_map(fn (array $row) => (object) array_intersect_key($row, array_flip($columns)), $rows);
    }

    public function value(string $column)
    {
        return array_values($this->rows())[0][$column] ?? null;
    }

    public function update(array $columns): int
    {
        $rows = $this->rows();
        foreach (array_keys($rows) as $at) {
            $unknown = array_diff_key($columns, self::$tables[$this->table][$at]);
            if ($unknown !== []) {
                throw new \Exception("{$this->table} has no column " . implode(', ', array_keys($unknown)));
            }
            self::$tables[$this->table][$at] = $columns + self::$tables[$this->table][$at];
        }
        return count($rows);
    }

    private function rows(): array
    {
        return array_filter(self::$tables[$this->table], function (array $row): bool {
            foreach ($this->conditions as $column => $values) {
                if (!in_array($row[$column], $values, true)) {
                    return false;
                }
            }
            return true;
        });
    }
}
