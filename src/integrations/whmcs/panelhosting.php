<?php

/**
 * WHMCS provisioning module: hosting accounts of the panel.
 *
 * @see https://developers.whmcs.com/provisioning-modules/
 * @license GPL-3.0-or-later
 */

use PanelApi\Accounts;
use PanelApi\Service;
use PanelApi\Usage;

if (!defined('WHMCS')) {
    die('This file cannot be accessed directly');
}

// Both modules of the panel bring these; the first one that WHMCS loads declares them.
foreach (['Failure', 'Client', 'Service', 'Usage', 'Provisioned', 'Accounts'] as $class) {
    if (!class_exists("PanelApi\\$class", false)) {
        require_once __DIR__ . "/lib/$class.php";
    }
}

function panelhosting_MetaData()
{
    return [
        'DisplayName' => 'Panel: hosting accounts',
        'APIVersion' => '1.1',
        'RequiresServer' => true,
        'DefaultNonSSLPort' => '3082',
        'DefaultSSLPort' => '3082',
    ];
}

function panelhosting_ConfigOptions()
{
    return [
        'Package' => [
            'Type' => 'text',
            'Size' => '25',
            'Default' => 'default',
            'Description' => 'Id or name of a package of the panel',
            'SimpleMode' => true,
        ],
        'Reseller account' => [
            'Type' => 'yesno',
            'Description' => 'The account may have users of its own; the API key must be of level SUPER_ADMIN',
            'SimpleMode' => true,
        ],
        'Several accounts per client' => [
            'Type' => 'yesno',
            'Description' => 'Where the client\'s e-mail address already has an account, use name+whmcs-12@example.com',
            'SimpleMode' => true,
        ],
    ];
}

function panelhosting_CreateAccount(array $params)
{
    return Service::outcome(static function () use ($params) {
        (new Accounts($params))->create();
    });
}

function panelhosting_SuspendAccount(array $params)
{
    return Service::outcome(static function () use ($params) {
        (new Accounts($params))->suspend();
    });
}

function panelhosting_UnsuspendAccount(array $params)
{
    return Service::outcome(static function () use ($params) {
        (new Accounts($params))->unsuspend();
    });
}

function panelhosting_TerminateAccount(array $params)
{
    return Service::outcome(static function () use ($params) {
        (new Accounts($params))->terminate();
    });
}

function panelhosting_ChangePassword(array $params)
{
    return Service::outcomeForClients(static function () use ($params) {
        (new Accounts($params))->changePassword();
    });
}

function panelhosting_ChangePackage(array $params)
{
    return Service::outcome(static function () use ($params) {
        (new Accounts($params))->changePackage();
    });
}

function panelhosting_AdminCustomButtonArray()
{
    return ['Link' => 'Link'];
}

function panelhosting_Link(array $params)
{
    return Service::outcome(static function () use ($params) {
        (new Accounts($params))->link();
    });
}

function panelhosting_TestConnection(array $params)
{
    $outcome = Service::outcome(static function () use ($params) {
        (new Accounts($params))->test();
    });

    return ['success' => $outcome === 'success', 'error' => $outcome === 'success' ? '' : $outcome];
}

function panelhosting_UsageUpdate(array $params)
{
    return Service::outcome(static function () use ($params) {
        Usage::update($params, static function (array $of) {
            return (new Accounts($of))->usage();
        });
    });
}
