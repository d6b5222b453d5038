<?php

/**
 * Writes what services used into WHMCS.
 *
 * @license GPL-3.0-or-later
 */

namespace PanelApi;

use WHMCS\Database\Capsule;

final class Usage
{
    /** How long one run may wait for the panel's rate limit altogether. */
    private const PATIENCE_SECONDS = 600;

    private const BYTES_IN_MB = 1048576;

    /**
     * Asks for every service of a server. The oldest figures first, so that a run that was cut short is made good by
     * the next one. What concerns one service is told at the end; anything else ends the run.
     *
     * @param array<string, mixed> $params
     * @param callable(array<string, mixed>): (array<string, int>|null) $ask columns of one service, null: not known
     */
    public static function update(array $params, callable $ask): void
    {
        $server = (int) ($params['serverid'] ?? 0);
        if ($server < 1) {
            throw new Failure('WHMCS did not say which server this is about (serverid)');
        }
        $services = Capsule::table('tblhosting')
            ->where('server', $server)
            ->whereIn('domainstatus', ['Active', 'Suspended'])
            ->orderBy('lastupdate')
            ->get(['id', 'username']);
        $patience = self::PATIENCE_SECONDS;
        $problems = [];
        foreach ($services as $service) {
            $of = ['serviceid' => (int) $service->id, 'username' => (string) $service->username] + $params;
            try {
                $columns = self::patiently($ask, $of, $patience);
            } catch (Failure $failure) {
                // 404: deleted since it was looked up.
                if ($failure->status !== 404 && $failure->reason !== Service::MISMATCH) {
                    throw $failure;
                }
                $problems[] = $failure->getMessage();
                continue;
            }
            if ($columns !== null) {
                Capsule::table('tblhosting')
                    ->where('id', (int) $service->id)
                    ->update($columns + ['lastupdate' => date('Y-m-d H:i:s')]);
            }
        }
        if ($problems !== []) {
            throw new Failure('Services left out: ' . count($problems) . '. The first: ' . $problems[0]);
        }
    }

    /**
     * WHMCS counts in megabytes.
     */
    public static function megabytes(int $bytes): int
    {
        return (int) round($bytes / self::BYTES_IN_MB);
    }

    /**
     * @param array<string, mixed> $of
     * @return array<string, int>|null
     */
    private static function patiently(callable $ask, array $of, int &$patience): ?array
    {
        while (true) {
            try {
                return $ask($of);
            } catch (Failure $failure) {
                $wait = max(1, $failure->retryAfter);
                if ($failure->status !== 429 || $wait > $patience) {
                    throw $failure;
                }
                $patience -= $wait;
                sleep($wait);
            }
        }
    }
}
