<?php

/**
 * Plays WHMCS for the tests: loads one module, calls one function of it, and tells as JSON what came of it.
 *
 * php whmcs.php ROOT TABLES < {"module": …, "function": …, "params": {…}, "clientarea": false}
 */

declare(strict_types=1);

use WHMCS\Database\Capsule;

require __DIR__ . '/Capsule.php';

define('WHMCS', true);

$logged = [];
$activity = [];

function logModuleCall($module, $action, $request, $response, $processed = '', $replace = [])
{
    global $logged;
    $logged[] = compact('module', 'action', 'request', 'response', 'processed', 'replace');
}

function logActivity($message, $client = 0)
{
    global $activity;
    $activity[] = $message;
}

// In WHMCS a notice is a line in a log that nobody reads; here it fails the test.
error_reporting(E_ALL);
set_error_handler(static function (int $number, string $text, string $file, int $line): bool {
    throw new ErrorException($text, 0, $number, $file, $line);
});

[, $root, $tables] = $argv;
$asked = json_decode(stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR);
if (!empty($asked['clientarea'])) {
    define('CLIENTAREA', true);
}
Capsule::load($tables);
ob_start();
// The cron job loads every module into one process.
foreach (glob("$root/modules/servers/*", GLOB_ONLYDIR) as $folder) {
    require_once "$folder/" . basename($folder) . '.php';
}
$function = "{$asked['module']}_{$asked['function']}";
try {
    $result = $function($asked['params']);
} catch (Exception $problem) {
    $result = ['thrown' => $problem->getMessage()];
}
$printed = ob_get_clean();
Capsule::save($tables);
echo json_encode(compact('result', 'printed', 'logged', 'activity'), JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES);
