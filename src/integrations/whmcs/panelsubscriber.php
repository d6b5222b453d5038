<?php

/**
 * WHMCS provisioning module: subscribers of the panel (PPPoE logins).
 *
 * @see https://developers.whmcs.com/provisioning-modules/
 * @license GPL-3.0-or-later
 */

use PanelApi\Service;
use PanelApi\Subscribers;
use PanelApi\Usage;

if (!defined('WHMCS')) {
    die('This file cannot be accessed directly');
}

// Both modules of the panel bring these; the first one that WHMCS loads declares them.
foreach (['Failure', 'Client', 'Service', 'Usage', 'Provisioned', 'Subscribers'] as $class) {
    if (!class_exists("PanelApi\\$class", false)) {
        require_once __DIR__ . "/lib/$class.php";
    }
}

function panelsubscriber_MetaData()
{
    return [
        'DisplayName' => 'Panel: subscribers',
        'APIVersion' => '1.1',
        'RequiresServer' => true,
        'DefaultNonSSLPort' => '3082',
        'DefaultSSLPort' => '3082',
    ];
}

function panelsubscriber_ConfigOptions()
{
    return [
        'Service' => [
            'Type' => 'text',
            'Size' => '10',
            'Default' => '1',
            'Description' => 'Id of the service (plan) of the panel',
            'Loader' => 'panelsubscriber_Services',
            'SimpleMode' => true,
        ],
        'Periods' => [
            'Type' => 'text',
            'Size' => '5',
            'Default' => '1',
            'Description' => 'How many periods of that service one renewal pays for, 1-24',
            'SimpleMode' => true,
        ],
        'Charge on renewal' => [
            'Type' => 'yesno',
            'Description' => 'Take the price from the balance in the panel too; must be ticked for a key of a reseller',
            'SimpleMode' => true,
        ],
    ];
}

/**
 * The choices of the option Service. WHMCS shows what is thrown here.
 */
function panelsubscriber_Services(array $params)
{
    return (new Subscribers($params))->plans();
}

function panelsubscriber_CreateAccount(array $params)
{
    return Service::outcome(static function () use ($params) {
        (new Subscribers($params))->create();
    });
}

function panelsubscriber_SuspendAccount(array $params)
{
    return Service::outcome(static function () use ($params) {
        (new Subscribers($params))->suspend();
    });
}

function panelsubscriber_UnsuspendAccount(array $params)
{
    return Service::outcome(static function () use ($params) {
        (new Subscribers($params))->unsuspend();
    });
}

function panelsubscriber_TerminateAccount(array $params)
{
    return Service::outcome(static function () use ($params) {
        (new Subscribers($params))->terminate();
    });
}

function panelsubscriber_ChangePassword(array $params)
{
    return Service::outcomeForClients(static function () use ($params) {
        (new Subscribers($params))->changePassword();
    });
}

function panelsubscriber_ChangePackage(array $params)
{
    return Service::outcome(static function () use ($params) {
        (new Subscribers($params))->changePackage();
    });
}

function panelsubscriber_Renew(array $params)
{
    return Service::outcome(static function () use ($params) {
        (new Subscribers($params))->renew();
    });
}

function panelsubscriber_AdminCustomButtonArray()
{
    return ['Link' => 'Link'];
}

function panelsubscriber_Link(array $params)
{
    return Service::outcome(static function () use ($params) {
        (new Subscribers($params))->link();
    });
}

function panelsubscriber_TestConnection(array $params)
{
    $outcome = Service::outcome(static function () use ($params) {
        (new Subscribers($params))->test();
    });

    return ['success' => $outcome === 'success', 'error' => $outcome === 'success' ? '' : $outcome];
}

function panelsubscriber_UsageUpdate(array $params)
{
    return Service::outcome(static function () use ($params) {
        Usage::update($params, static function (array $of) {
            return (new Subscribers($of))->usage();
        });
    });
}

function panelsubscriber_AdminServicesTabFields(array $params)
{
    try {
        return (new Subscribers($params))->facts();
    } catch (\Throwable $problem) {
        return ['Panel' => htmlspecialchars($problem->getMessage(), ENT_QUOTES)];
    }
}
